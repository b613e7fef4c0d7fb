"""Runs beside the grid of Stream2LLM: what a perfect model would show, throughput parity, sensitivity.

Cells are served in memory, with other draws, other arrivals or another configuration than the grid's; nothing
of them lies under cells/. Simulated only, and of generated workloads only.

Inputs:  the performance model of the hardware shown, data/reference/stream2llm/*.csv,
         config/studies/stream2llm.variants.yaml
Outputs: <results>/stream2llm/variants/draws/*.parquet, floor.csv, parity.csv, sensitivity/*.csv
         <results>/stream2llm/tables/{parity,sensitivity}.{csv,md}, figures/sensitivity.{svg,pdf,png}
"""


rule redraw:
    """Serve the grid of a workload on further draws of it, all with the published arrivals."""
    input:
        perf_model=varied_model("stream2llm"),
    output:
        "<results>/stream2llm/variants/draws/{workload}.parquet",
    log:
        "<logs>/stream2llm/redraw/{workload}.log",
    benchmark:
        "<benchmarks>/stream2llm/redraw/{workload}.tsv"
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        config=redrawn_configuration,
        cells=redrawn_cells,
        draws=draws_of,
        sources=redrawn_sources,
    script:
        "../scripts/redraw.py"


rule floor:
    """World 0 scored against each further draw, as if that were the published run."""
    input:
        draws("stream2llm"),
    output:
        "<results>/stream2llm/variants/floor.csv",
    log:
        "<logs>/stream2llm/floor.log",
    benchmark:
        "<benchmarks>/stream2llm/floor.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        sources=digest("headrace.scorecard.samples", "headrace.variants.floor"),
    script:
        "../scripts/floor.py"


rule parity:
    """Every policy with all arrivals at once: time to completion, and what it was spent on."""
    input:
        perf_model=varied_model("stream2llm"),
    output:
        "<results>/stream2llm/variants/parity.csv",
    log:
        "<logs>/stream2llm/parity.log",
    benchmark:
        "<benchmarks>/stream2llm/parity.tsv"
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=varied_configuration("stream2llm"),
        cells=fastest_cells("stream2llm"),
        worlds=variants_of("stream2llm").get("parity", {}).get("worlds"),
        sources=parity_sources(),
    script:
        "../scripts/parity.py"


rule sensitivity:
    """The main claims with one assumption moved down and up, or with nothing moved."""
    input:
        perf_model=varied_model("stream2llm"),
    output:
        "<results>/stream2llm/variants/sensitivity/{assumption}.csv",
    log:
        "<logs>/stream2llm/sensitivity/{assumption}.log",
    benchmark:
        "<benchmarks>/stream2llm/sensitivity/{assumption}.tsv"
    wildcard_constraints:
        assumption="|".join([BASELINE, *assumptions("stream2llm")]),
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        config=varied_configuration("stream2llm"),
        definition=moved_definition,
        hardware=varied_hardware("stream2llm"),
        sources=claim_sources(),
    script:
        "../scripts/sensitivity.py"


use rule stream2llm_fig5 as stream2llm_sensitivity with:
    """How far the main claims move when an assumption does: a tornado per claim."""
    input:
        outcomes=outcomes("stream2llm"),
        reference=reference_tables("stream2llm"),
    output:
        **figure("sensitivity", "Assumptions", "claims by assumption"),
    log:
        "<logs>/stream2llm/stream2llm_sensitivity.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_sensitivity.tsv"
    params:
        figure="sensitivity",
        options=sensitivity_options("stream2llm"),
        provenance=variant_provenance("stream2llm"),
        sizes=variant_sizes("stream2llm", "sensitivity"),
        sources=digest("headrace.plots.sensitivity"),


use rule stream2llm_table3 as stream2llm_sensitivity_table with:
    """Every claim with every assumption moved, as a table."""
    input:
        outcomes=outcomes("stream2llm"),
        reference=reference_tables("stream2llm"),
    output:
        **table("sensitivity"),
    log:
        "<logs>/stream2llm/stream2llm_sensitivity_table.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_sensitivity_table.tsv"
    params:
        table="sensitivity",
        options=sensitivity_options("stream2llm"),
        provenance=variant_provenance("stream2llm"),
        sources=digest("headrace.tables.sensitivity"),


use rule stream2llm_table3 as stream2llm_parity with:
    """Throughput with all arrivals at once: every policy against non-streaming, and where the difference lies."""
    input:
        runs="<results>/stream2llm/variants/parity.csv",
    output:
        **table("parity"),
    log:
        "<logs>/stream2llm/stream2llm_parity.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_parity.tsv"
    params:
        table="parity",
        options={},
        provenance=variant_provenance("stream2llm"),
        sources=digest("headrace.tables.parity"),
