"""Cells: one run of one engine configuration over all worlds of a workload.

Inputs:  <results>/{study}/workloads/{workload}.parquet and .arrivals.parquet,
         the performance model that config/hardware.yaml names
Outputs: <results>/{study}/cells/backend=../hardware=../workload=../delay=../eviction=../policy=../stream=../qps=../
         requests.parquet  one row per request
         cell.json         what determines the result, and totals per world
         run.json          what varies between runs: wall time, host, commit, dates
"""


rule run_cell:
    """Serve one cell in the virtual-clock simulator."""
    input:
        chunks="<results>/{study}/workloads/{workload}.parquet",
        arrivals="<results>/{study}/workloads/{workload}.arrivals.parquet",
        perf_model=perf_model,
    output:
        requests="<results>/{study}/cells/<cell>/requests.parquet",
        cell="<results>/{study}/cells/<cell>/cell.json",
        run="<results>/{study}/cells/<cell>/run.json",
    log:
        "<logs>/{study}/cells/<cell>.log",
    benchmark:
        "<benchmarks>/{study}/cells/<cell>.tsv"
    wildcard_constraints:
        backend="sim",
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        spec=cell_spec,
        sources=cell_sources,
    script:
        "../scripts/run_cell.py"
