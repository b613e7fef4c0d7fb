"""Performance models: the time of a step and of a swap on one hardware, from a provider's tables.

Not part of a study: the models that cells use are committed under data/perf_models. Run
`make perf-models` to make them anew and compare, after an edit to config/hardware.yaml or models.yaml.

Inputs:  config/hardware.yaml, config/models.yaml
Outputs: <results>/perf_models/{hardware}.{model}.{provider}.json
"""


rule build_perf_model:
    """Build the performance model of one hardware and model with the provider that the config names."""
    input:
        hardware=config["files"]["hardware"],
        models=config["files"]["models"],
    output:
        "<results>/perf_models/{hardware}.{model}.{provider}.json",
    log:
        "<logs>/perf_models/{hardware}.{model}.{provider}.log",
    benchmark:
        "<benchmarks>/perf_models/{hardware}.{model}.{provider}.tsv"
    wildcard_constraints:
        hardware="[^./]+",
        provider="[^./]+",
    conda:
        "../../envs/silicon.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        sources=digest("headrace.perf.providers"),
    script:
        "../scripts/build_perf_model.py"


rule perf_models:
    """All performance models that config/hardware.yaml names."""
    input:
        perf_model_targets(),
