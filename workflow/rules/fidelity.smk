"""How well the simulator predicts the published numbers: targets, figures, a page. Simulated only.

Inputs:  <stream2llm>/scorecard.csv, <stream2llm>/variants/{floor,parity}.csv, data/calibration/stream2llm.json,
         data/reference/stream2llm/*.csv, the explanations (config/studies/stream2llm.explanations.yaml),
         docs/tried.md
Outputs: <stream2llm>/tables/targets.{csv,md}
         <stream2llm>/figures/fidelity.{svg,pdf,png} and fidelity_errors.{svg,pdf,png}
         <stream2llm>/fidelity/fidelity.md    the page; docs/fidelity.md is a copy of it (make pictures)
         <stream2llm>/report/fidelity.html
"""


use rule stream2llm_table3 as stream2llm_targets with:
    """The targets of the simulator: met or missed, beside a baseline without a simulator and the floor."""
    input:
        scorecard="<stream2llm>/scorecard.csv",
        floor=variant_table("floor"),
        parity=variant_table("parity"),
    output:
        **table("targets"),
    log:
        "<logs>/stream2llm/stream2llm_targets.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_targets.tsv"
    params:
        table="targets",
        options={},
        provenance=provenance(**MAIN_GRID),
        sources=digest("headrace.tables.targets"),


use rule stream2llm_fig5 as stream2llm_fidelity with:
    """Published against reproduced: every compared number, by artifact and percentile."""
    input:
        scorecard="<stream2llm>/scorecard.csv",
    output:
        **figure("fidelity", "Fidelity", "published against reproduced"),
    log:
        "<logs>/stream2llm/stream2llm_fidelity.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fidelity.tsv"
    params:
        figure="fidelity",
        provenance=provenance(**MAIN_GRID),
        sizes=sizes(**MAIN_GRID),
        sources=digest("headrace.plots.fidelity"),


use rule stream2llm_fig5 as stream2llm_fidelity_errors with:
    """How large the errors are, beside a baseline without a simulator and the floor."""
    input:
        scorecard="<stream2llm>/scorecard.csv",
        floor=variant_table("floor"),
    output:
        **figure("fidelity_errors", "Fidelity", "distribution of errors"),
    log:
        "<logs>/stream2llm/stream2llm_fidelity_errors.log",
    benchmark:
        "<benchmarks>/stream2llm/stream2llm_fidelity_errors.tsv"
    params:
        figure="fidelity_errors",
        provenance=provenance(**MAIN_GRID),
        sizes=sizes(**MAIN_GRID),
        sources=digest("headrace.plots.fidelity_errors"),


rule fidelity_page:
    """Targets, figures, errors, the worst rows and why, what was tried: one page, to read and for the report."""
    input:
        scorecard="<stream2llm>/scorecard.csv",
        floor=variant_table("floor"),
        parity=variant_table("parity"),
        calibration=adopted_fit("stream2llm"),
        reference=reference_tables("stream2llm"),
        tried="docs/tried.md",
        figures=[
            "<stream2llm>/figures/fidelity.svg",
            "<stream2llm>/figures/fidelity_errors.svg",
        ],
    output:
        document="<stream2llm>/fidelity/fidelity.md",
        page=report(
            "<stream2llm>/report/fidelity.html",
            caption="../report/fidelity_page.rst",
            category="Stream2LLM",
            subcategory="Fidelity",
            labels={"page": "Fidelity"},
        ),
    log:
        "<logs>/stream2llm/fidelity_page.log",
    benchmark:
        "<benchmarks>/stream2llm/fidelity_page.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        explanations=explanations("stream2llm"),
        provenance=provenance(**MAIN_GRID),
        sources=digest("headrace.fidelity.page", "headrace.report.fidelity_page"),
    script:
        "../scripts/fidelity_page.py"
