"""Figures of the studies, one rule per figure, named like the paper's.

Inputs:  requests tables of the cells that a figure shows, data/reference/stream2llm/*.csv
Outputs: <results>/stream2llm/figures/fig*.{svg,pdf,png}
"""


rule stream2llm_fig5:
    """TTFT of all policies, streaming and not: complementary CDF per workload and request rate."""
    input:
        cells=cells("stream2llm", delay=1, hardware="h200-tp2"),
        reference=reference_tables("stream2llm"),
    output:
        svg=report(
            "<results>/stream2llm/figures/fig5.svg",
            caption="../report/stream2llm_fig5.rst",
            category="Stream2LLM",
            subcategory="Latency",
            labels={"figure": "5"},
        ),
        pdf="<results>/stream2llm/figures/fig5.pdf",
        png="<results>/stream2llm/figures/fig5.png",
    log:
        "<logs>/stream2llm/stream2llm_fig5.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig5.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        provenance=provenance("h200-tp2"),
        sources=digest("headrace.plots.fig5"),
    script:
        "../scripts/stream2llm_fig5.py"


rule stream2llm_fig6:
    """Mean and P95 TTFT against the request rate, crawler."""
    input:
        cells=cells("stream2llm", delay=1, hardware="h200-tp2", workload="crawler"),
        reference=reference_tables("stream2llm"),
    output:
        svg=report(
            "<results>/stream2llm/figures/fig6.svg",
            caption="../report/stream2llm_fig6.rst",
            category="Stream2LLM",
            subcategory="Latency",
            labels={"figure": "6"},
        ),
        pdf="<results>/stream2llm/figures/fig6.pdf",
        png="<results>/stream2llm/figures/fig6.png",
    log:
        "<logs>/stream2llm/stream2llm_fig6.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig6.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        provenance=provenance("h200-tp2"),
        sources=digest("headrace.plots.fig6"),
    script:
        "../scripts/stream2llm_fig6.py"


rule stream2llm:
    """The whole Stream2LLM study: scorecard and figures."""
    input:
        rules.scorecard.output,
        rules.stream2llm_fig5.output,
        rules.stream2llm_fig6.output,
