"""Pages of the report: its front page, the scorecard and the tables of the study, to read and to search.

`make report` puts them, the figures, the rule graph and the run times into one HTML file.

Inputs:  cell.json and run.json of all cells, <results>/stream2llm/metrics.parquet and scorecard.csv,
         <results>/stream2llm/tables/*.{csv,md}, envs/headrace.lock
Outputs: <results>/stream2llm/report/front_page.html  shown first (by workflow/report/workflow.rst)
         <results>/stream2llm/report/scorecard.html
         <results>/stream2llm/tables/*.html
"""


rule front_page:
    """What was run, on what, when, with which versions; the scorecard summed up."""
    input:
        cells=cells("stream2llm", table="cell.json"),
        runs=cells("stream2llm", table="run.json"),
        metrics="<stream2llm>/metrics.parquet",
        scorecard="<stream2llm>/scorecard.csv",
        traces=trace_counts("stream2llm"),
        runs_listed=run_lists("stream2llm"),
        lock="envs/headrace.lock",
    output:
        report(
            "<stream2llm>/report/front_page.html",
            caption="../report/front_page.rst",
            category="Stream2LLM",
            subcategory="Front page",
            labels={"page": "Front page"},
        ),
    log:
        "<logs>/stream2llm/front_page.log",
    benchmark:
        "<benchmarks>/stream2llm/front_page.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        setting=report_setting("Stream2LLM"),
        sources=digest("headrace.report.front_page"),
    script:
        "../scripts/front_page.py"


rule scorecard_page:
    """Every row of the scorecard, to be searched, filtered and sorted in the browser."""
    input:
        scorecard="<stream2llm>/scorecard.csv",
        cells=cells("stream2llm", table="cell.json"),
    output:
        report(
            "<stream2llm>/report/scorecard.html",
            caption="../report/scorecard_page.rst",
            category="Stream2LLM",
            subcategory="Scorecard",
            labels={"table": "Scorecard"},
        ),
    log:
        "<logs>/stream2llm/scorecard_page.log",
    benchmark:
        "<benchmarks>/stream2llm/scorecard_page.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        sources=digest("headrace.report.scorecard_page"),
    script:
        "../scripts/scorecard_page.py"


rule table_page:
    """A table as it is read, and below it every row to be searched and sorted in the browser."""
    input:
        document="<stream2llm>/tables/{table}.md",
        table="<stream2llm>/tables/{table}.csv",
    output:
        report(
            "<stream2llm>/tables/{table}.html",
            caption="../report/table_page.rst",
            category="Stream2LLM",
            subcategory="Tables",
            labels={"table": "{table}"},
        ),
    log:
        "<logs>/stream2llm/table_page/{table}.log",
    benchmark:
        "<benchmarks>/stream2llm/table_page/{table}.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        sources=digest("headrace.report.document_page"),
    script:
        "../scripts/table_page.py"
