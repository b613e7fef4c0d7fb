"""Figures of Stream2LLM, one rule per figure, named like the paper's; all drawn by scripts/figure.py.

The script hands a rule's named inputs to `headrace.plots.<figure>.draw`.

Inputs:  requests tables of the cells that a figure shows, data/reference/stream2llm/*.csv
Outputs: <results>/stream2llm/figures/fig*.{svg,pdf,png}; of another backend under <results>/stream2llm/<backend>
"""


rule stream2llm_fig5:
    """TTFT of all policies, streaming and not: complementary CDF per workload and request rate."""
    input:
        cells=cells("stream2llm", delay=1, hardware="h200-tp2"),
        reference=reference_tables("stream2llm"),
    output:
        **figure("fig5", "Latency"),
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
        figure="fig5",
        provenance=provenance("h200-tp2", delay=1),
        sources=digest("headrace.plots.fig5"),
    script:
        "../scripts/figure.py"


use rule stream2llm_fig5 as stream2llm_fig6 with:
    """Mean and P95 TTFT against the request rate, crawler."""
    input:
        cells=cells("stream2llm", delay=1, hardware="h200-tp2", workload="crawler"),
        reference=reference_tables("stream2llm"),
    output:
        **figure("fig6", "Latency"),
    log:
        "<logs>/stream2llm/stream2llm_fig6.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig6.tsv"
    params:
        figure="fig6",
        provenance=provenance("h200-tp2", delay=1, workload="crawler"),
        sources=digest("headrace.plots.fig6"),
