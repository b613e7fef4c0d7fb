"""Performance models: the time of a step and of a swap on one hardware, from tables or from its GPUs.

Not part of a study: the models that cells use are committed under data/perf_models. Run
`make perf-models` to make them anew and compare, after an edit to config/hardware.yaml or models.yaml,
and `make profile HARDWARE=h200-tp2` to measure one where such GPUs are; profile_vllm measures it inside vLLM.

Inputs:  config/hardware.yaml, config/models.yaml
Outputs: <results>/perf_models/{hardware}.{model}.{provider}.json
"""


rule build_perf_model:
    """Build the performance model of one hardware and model with the provider that the config names."""
    input:
        hardware=config["files"]["hardware"],
        models=config["files"]["models"],
        measurements=measurements,
    output:
        "<results>/perf_models/{hardware}.{model}.{provider}.json",
    log:
        "<logs>/perf_models/{hardware}.{model}.{provider}.log",
    benchmark:
        "<benchmarks>/perf_models/{hardware}.{model}.{provider}.tsv"
    wildcard_constraints:
        hardware="[^./]+",
        provider="(?!profiled|vllm)[^./]+",
    conda:
        "../../envs/silicon.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        published=measurement_files,
        sources=digest("headrace.perf.providers"),
    script:
        "../scripts/build_perf_model.py"


rule profile_gpu:
    """Measure the performance model of one hardware and model on the GPUs of the machine that runs this."""
    input:
        hardware=config["files"]["hardware"],
        models=config["files"]["models"],
    output:
        "<results>/perf_models/{hardware}.{model}.profiled.json",
    log:
        "<logs>/perf_models/{hardware}.{model}.profiled.log",
    benchmark:
        "<benchmarks>/perf_models/{hardware}.{model}.profiled.tsv"
    wildcard_constraints:
        hardware="[^./]+",
    conda:
        "../../envs/profile.yaml"
    threads: profile_threads
    resources:
        nodes=1,
        gpu=gpus,
        gpu_model=gpu_model,
        mem_mb=48000,
        runtime=60,
    params:
        sources=digest("headrace.perf.profiler"),
    script:
        "../scripts/profile_gpu.py"


rule profile_vllm:
    """Measure the same on a vLLM that runs on these GPUs with the plugin: steps with the engine's own software."""
    input:
        hardware=config["files"]["hardware"],
        models=config["files"]["models"],
    output:
        "<results>/perf_models/{hardware}.{model}.vllm.json",
    log:
        "<logs>/perf_models/{hardware}.{model}.vllm.log",
    benchmark:
        "<benchmarks>/perf_models/{hardware}.{model}.vllm.tsv"
    wildcard_constraints:
        hardware="[^./]+",
    conda:
        "../../envs/vllm.yaml"
    threads: 8
    resources:
        nodes=1,
        gpu=gpus,
        gpu_model=gpu_model,
        mem_mb=64000,
        runtime=120,
    params:
        options=profiled_engine(),
        python=config["vllm"]["python"],
        sources=digest(
            "headrace.vllm.profile.measure",
            "headrace.vllm.profile.steps",
            "headrace.vllm.scheduler",
            "headrace.vllm.swap",
        ),
    script:
        "../scripts/profile_vllm.py"


rule perf_models:
    """All performance models that config/hardware.yaml names, but for those measured or made by hand."""
    input:
        perf_model_targets(),
