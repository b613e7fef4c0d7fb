"""Figures of Stream2LLM, one rule per figure, named like the paper's; all drawn by scripts/figure.py.

The script hands a rule's named inputs to `headrace.plots.<figure>.draw`.

Inputs:  requests tables of the cells that a figure shows, data/reference/stream2llm/*.csv
Outputs: <results>/stream2llm/figures/fig*.{svg,pdf,png}; of another backend under <results>/stream2llm/<backend>
         <results>/stream2llm/side_by_side/fig*.{svg,pdf,png}: a figure of cells simulated and from run logs
"""


rule stream2llm_fig5:
    """TTFT of all policies, streaming and not: complementary CDF per workload and request rate."""
    input:
        cells=cells("stream2llm", **SHOWN["fig5"]),
        reference=reference_tables("stream2llm"),
    output:
        **figure("fig5", "Latency", "TTFT, all rates"),
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
        provenance=provenance(**SHOWN["fig5"]),
        sizes=sizes(**SHOWN["fig5"]),
        sources=digest("headrace.plots.fig5"),
    script:
        "../scripts/figure.py"


use rule stream2llm_fig5 as stream2llm_fig6 with:
    """Mean and P95 TTFT against the request rate, crawler."""
    input:
        cells=cells("stream2llm", **SHOWN["fig6"]),
        reference=reference_tables("stream2llm"),
    output:
        **figure("fig6", "Latency", "TTFT by rate, crawler"),
    log:
        "<logs>/stream2llm/stream2llm_fig6.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig6.tsv"
    params:
        figure="fig6",
        provenance=provenance(**SHOWN["fig6"]),
        sizes=sizes(**SHOWN["fig6"]),
        sources=digest("headrace.plots.fig6"),


use rule stream2llm_fig5 as stream2llm_fig7 with:
    """Mean and P95 TTFT against the request rate, anns."""
    input:
        cells=cells("stream2llm", **SHOWN["fig7"]),
        reference=reference_tables("stream2llm"),
    output:
        **figure("fig7", "Latency", "TTFT by rate, anns"),
    log:
        "<logs>/stream2llm/stream2llm_fig7.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig7.tsv"
    params:
        figure="fig7",
        provenance=provenance(**SHOWN["fig7"]),
        sizes=sizes(**SHOWN["fig7"]),
        sources=digest("headrace.plots.fig7"),


use rule stream2llm_fig5 as stream2llm_fig11 with:
    """Trace completion time of all policies, and its difference to default streaming."""
    input:
        cells=cells("stream2llm", **SHOWN["fig11"]),
        reference=reference_tables("stream2llm"),
    output:
        **figure("fig11", "Throughput", "completion time"),
    log:
        "<logs>/stream2llm/stream2llm_fig11.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig11.tsv"
    params:
        figure="fig11",
        provenance=provenance(**SHOWN["fig11"]),
        sizes=sizes(**SHOWN["fig11"]),
        sources=digest("headrace.plots.fig11"),


use rule stream2llm_fig5 as stream2llm_fig12 with:
    """Tokens that updates invalidate, and their ratio to default streaming, anns."""
    input:
        cells=cells("stream2llm", **SHOWN["fig12"]),
        reference=reference_tables("stream2llm"),
    output:
        **figure("fig12", "Updates", "invalidated tokens"),
    log:
        "<logs>/stream2llm/stream2llm_fig12.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig12.tsv"
    params:
        figure="fig12",
        provenance=provenance(**SHOWN["fig12"]),
        sizes=sizes(**SHOWN["fig12"]),
        sources=digest("headrace.plots.fig12"),


use rule stream2llm_fig5 as side_by_side with:
    """One figure of cells on both backends: simulated, and read from the study's run logs."""
    input:
        simulated=side_cells("sim"),
        logs=side_cells("published"),
        reference=reference_tables("stream2llm"),
    output:
        svg=report(
            "<results>/stream2llm/side_by_side/{figure}.svg",
            caption="../report/side_by_side.rst",
            category="Stream2LLM",
            subcategory="Simulated beside run logs",
            labels={"figure": "{figure}"},
        ),
        pdf="<results>/stream2llm/side_by_side/{figure}.pdf",
        png="<results>/stream2llm/side_by_side/{figure}.png",
    log:
        "<logs>/stream2llm/side_by_side/{figure}.log",
    benchmark:
        "<benchmarks>/stream2llm/side_by_side/{figure}.tsv"
    wildcard_constraints:
        figure="|".join(SHOWN),
    params:
        figure="side_by_side",
        options=side_options,
        provenance=side_provenance,
        sources=digest("headrace.plots.side_by_side"),


rule stream2llm_side_by_side:
    """All figures of cells, simulated beside the study's run logs; needs the data set."""
    input:
        expand(rules.side_by_side.output, figure=SHOWN),


use rule stream2llm_fig5 as stream2llm_fig4 with:
    """Recompute and swap latency against tokens, H200 beside A40, and which is cheaper where."""
    input:
        perf_models=compared_models(),
    output:
        **figure("fig4", "Performance models", "recompute and swap"),
    log:
        "<logs>/stream2llm/stream2llm_fig4.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig4.tsv"
    params:
        figure="fig4",
        provenance=model_provenance(),
        sizes="models, no cell and no world",  # else those of the rule above are inherited
        options=compared_software("stream2llm"),
        sources=digest("headrace.plots.fig4"),


use rule stream2llm_fig5 as stream2llm_fig8 with:
    """Gaps between chunks, both workloads: cumulative distribution."""
    input:
        workloads=workload_tables("stream2llm"),
        reference=reference_tables("stream2llm"),
    output:
        **figure("fig8", "Workloads", "gaps, cumulative"),
    log:
        "<logs>/stream2llm/stream2llm_fig8.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig8.tsv"
    params:
        figure="fig8",
        provenance=workload_provenance(study_workloads("stream2llm")),
        sizes=workload_sizes(study_workloads("stream2llm")),
        sources=digest("headrace.plots.fig8"),


use rule stream2llm_fig8 as stream2llm_fig9 with:
    """Gaps between chunks: a histogram per workload."""
    output:
        **figure("fig9", "Workloads", "gaps, histogram"),
    log:
        "<logs>/stream2llm/stream2llm_fig9.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig9.tsv"
    params:
        figure="fig9",
        provenance=workload_provenance(study_workloads("stream2llm")),
        sizes=workload_sizes(study_workloads("stream2llm")),
        sources=digest("headrace.plots.fig9"),


use rule stream2llm_fig8 as stream2llm_fig10 with:
    """Chunks per query, per workload."""
    output:
        **figure("fig10", "Workloads", "chunks per query"),
    log:
        "<logs>/stream2llm/stream2llm_fig10.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fig10.tsv"
    params:
        figure="fig10",
        provenance=workload_provenance(study_workloads("stream2llm")),
        sizes=workload_sizes(study_workloads("stream2llm")),
        sources=digest("headrace.plots.fig10"),
