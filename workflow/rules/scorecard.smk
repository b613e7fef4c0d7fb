"""Metrics of all cells, and the scorecard that holds them against the published numbers.

Inputs:  <results>/stream2llm/cells/**/requests.parquet, <results>/stream2llm/workloads/*.parquet,
         data/reference/stream2llm/*.csv, the calibration set (config/studies/stream2llm.calibration.yaml)
Outputs: <results>/stream2llm/metrics.parquet  one row per cell, world and quantity
         <results>/stream2llm/scorecard.csv    one row per published or predicted number
"""


rule metrics:
    """Percentiles, preemptions, concurrency and throughput of every cell."""
    input:
        logged_events("stream2llm"),
        cells=cells("stream2llm"),
    output:
        "<stream2llm>/metrics.parquet",
    log:
        "<logs>/stream2llm/metrics.log",
    benchmark:
        "<benchmarks>/stream2llm/metrics.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        sources=digest("headrace.metrics.collect"),
    script:
        "../scripts/metrics.py"


rule scorecard:
    """Published against reproduced, with prediction intervals and a baseline without a simulator."""
    input:
        metrics="<stream2llm>/metrics.parquet",
        workloads=workload_tables("stream2llm", scored_workloads("stream2llm")),
        reference=reference_tables("stream2llm"),
    output:
        "<stream2llm>/scorecard.csv",
    log:
        "<logs>/stream2llm/scorecard.log",
    benchmark:
        "<benchmarks>/stream2llm/scorecard.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        workloads=scored_workloads("stream2llm"),
        calibration=roles_of_numbers("stream2llm"),
        sources=digest("headrace.scorecard.score"),
    script:
        "../scripts/scorecard.py"
