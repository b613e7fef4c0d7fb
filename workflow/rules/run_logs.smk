"""Run logs: what the study's own runs logged, read into the tables of cells (backend published).

Inputs:  the public data set, in the folder that the configuration names with `data`, or downloaded
Outputs: <results>/{study}/cells/backend=published/  requests.parquet, events.parquet, cell.json, run.json per cell
         <results>/{study}/published/runs.csv        what became of every run, and which are missing
"""


checkpoint read_run_logs:
    """Read every run log of the data set; which cells there are is known afterwards."""
    input:
        dataset,
    output:
        runs="<results>/{study}/published/runs.csv",
        cells=directory("<results>/{study}/cells/backend=published"),
    log:
        "<logs>/{study}/read_run_logs.log",
    benchmark:
        "<benchmarks>/{study}/read_run_logs.tsv"
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        expected=published_cells,
        listing=dataset_listing,
        sources=digest("headrace.run_logs.read"),
    script:
        "../scripts/read_run_logs.py"
