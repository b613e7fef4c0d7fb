"""Calibration: values that nobody published, fitted to the declared calibration set.

Not part of a study: the fitted values stand in config/, and the fit that they come from is
data/calibration/stream2llm.json. `make calibrate` makes it anew (about 20 minutes on two cores).

Inputs:  config/studies/stream2llm.fit.yaml and .calibration.yaml, data/reference/stream2llm/*.csv,
         the performance models of the hardware in the calibration set
Outputs: <stream2llm>/variants/calibration/fit.json           values, errors before and after
         <stream2llm>/variants/calibration/evaluations.jsonl  every point served: a fit that was
                                                              interrupted goes on from there. Not declared
                                                              as an output: Snakemake removes those of a
                                                              job that fails
         <stream2llm>/variants/calibration/convergence.svg    the loss on the way, the values at its end
"""


rule calibrate:
    """Fit the free values of the configuration to the calibration set."""
    input:
        reference=reference_tables("stream2llm"),
        perf_models=fitted_perf_models("stream2llm"),
    output:
        "<stream2llm>/variants/calibration/fit.json",
    log:
        "<logs>/stream2llm/calibrate.log",
    benchmark:
        "<benchmarks>/stream2llm/calibrate.tsv"
    conda:
        "../../envs/headrace.yaml"
    threads: 16
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        configuration=fitted_from("stream2llm"),
        served=fitted_sources("stream2llm"),
        sources=digest("headrace.calibration.fit"),
    script:
        "../scripts/calibrate.py"


rule convergence:
    """How the fit went: loss against evaluations, values between their bounds."""
    input:
        fit="<stream2llm>/variants/calibration/fit.json",
    output:
        multiext(
            "<stream2llm>/variants/calibration/convergence",
            svg=".svg",
            pdf=".pdf",
            png=".png",
        ),
    log:
        "<logs>/stream2llm/convergence.log",
    benchmark:
        "<benchmarks>/stream2llm/convergence.tsv"
    localrule: True
    conda:
        "../../envs/headrace.yaml"
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        figure="convergence",
        provenance=provenance(
            fitted_names("stream2llm", "hardware", study_hardware("stream2llm")),
            backend="sim",
        ),
        sources=digest("headrace.plots.convergence"),
    script:
        "../scripts/figure.py"
