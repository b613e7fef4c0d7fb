"""Tables of Stream2LLM, one rule per table; all written by scripts/table.py.

The script hands a rule's named inputs to `headrace.tables.<table>.write`.

Inputs:  requests tables of the cells that a table shows or the chunk tables of workloads,
         data/reference/stream2llm/*.csv, the calibration set (config/studies/stream2llm.calibration.yaml)
Outputs: <results>/stream2llm/tables/*.{csv,md}; of another backend under <results>/stream2llm/<backend>
"""


rule stream2llm_table3:
    """Eviction rules under memory pressure: speedups of every policy, and the seconds of the baselines."""
    input:
        cells=cells("stream2llm", **TABULATED["table3"]),
        reference=reference_tables("stream2llm"),
    output:
        **table("table3"),
    log:
        "<logs>/stream2llm/stream2llm_table3.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_table3.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        table="table3",
        options={"calibration": roles_of_numbers("stream2llm")},
        provenance=provenance(study_hardware("stream2llm", **PRESSURE), **PRESSURE),
        sources=digest("headrace.tables.table3"),
    script:
        "../scripts/table.py"


use rule stream2llm_table3 as stream2llm_table4 with:
    """Preemptions by kind and policy under memory pressure, and concurrent requests at preemption."""
    input:
        logged_events("stream2llm", delay=stretched("stream2llm")),
        cells=cells("stream2llm", delay=stretched("stream2llm")),
        reference=reference_tables("stream2llm"),
    output:
        **table("table4"),
    log:
        "<logs>/stream2llm/stream2llm_table4.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_table4.tsv"
    params:
        table="table4",
        options={"calibration": roles_of_numbers("stream2llm")},
        provenance=provenance(study_hardware("stream2llm", **PRESSURE), **PRESSURE),
        sources=digest("headrace.tables.table4"),


use rule stream2llm_table3 as stream2llm_inline with:
    """TTFT and speedups of the main grid at every request rate, on all hardware."""
    input:
        cells=cells("stream2llm", **TABULATED["inline"]),
        reference=reference_tables("stream2llm"),
    output:
        **table("inline"),
    log:
        "<logs>/stream2llm/stream2llm_inline.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_inline.tsv"
    params:
        table="inline",
        options={"calibration": roles_of_numbers("stream2llm")},
        provenance=provenance(study_hardware("stream2llm", delay=1), delay=1),
        sources=digest("headrace.tables.inline"),


use rule stream2llm_table3 as stream2llm_table2 with:
    """Statistics of the workloads: tokens per query and query duration."""
    input:
        workloads=workload_tables("stream2llm"),
        reference=reference_tables("stream2llm"),
    output:
        **table("table2"),
    log:
        "<logs>/stream2llm/stream2llm_table2.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_table2.tsv"
    params:
        table="table2",
        options={"calibration": roles_of_numbers("stream2llm")},
        provenance=workload_provenance(study_workloads("stream2llm")),
        sources=digest("headrace.tables.table2"),


rule stream2llm_sched_latency:
    """Latency of a scheduling pass, timed here and beside the published one; no two runs give the same."""
    input:
        reference=reference_tables("stream2llm"),
    output:
        **table("sched_latency"),
    log:
        "<logs>/stream2llm/stream2llm_sched_latency.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_sched_latency.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    threads: 1024  # all there are: a job beside this one would spoil the timings
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        table="sched_latency",
        options=timing_options("stream2llm"),
        provenance="timed, not simulated, on the machine that made this table",
        sources=policy_sources("stream2llm", "headrace.tables.sched_latency"),
    script:
        "../scripts/table.py"
