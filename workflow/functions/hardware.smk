"""The hardware of the configuration and its performance models."""

from headrace.perf.profiler.devices import short_name
from headrace.perf.providers import BUILDERS


def perf_model(wildcards):
    return config["hardware"][wildcards.hardware]["perf_model"]["file"]


def gpus(wildcards):
    """GPUs that a job on this hardware takes."""
    return config["hardware"][wildcards.hardware]["tensor_parallel"]


def profile_threads(wildcards):
    """A process per GPU launches its work, and NCCL has threads of its own."""
    return 2 * gpus(wildcards)


def gpu_model(wildcards):
    """Their kind, in the words of the batch system."""
    return short_name(config["hardware"][wildcards.hardware]["gpu"])


def profiled_engine():
    """How vLLM is started to be profiled: as the cells of all studies need it, see headrace.vllm.profile.measure."""
    engines = [definition["engine"] for definition in config["studies"].values()]
    budgets = [
        workload["token_budget"]
        for definition in config["studies"].values()
        for workload in definition["workloads"].values()
    ]
    own = ("max_model_len", "gpu_memory_utilization", "extra_args")
    return {
        "token_budget": max(budgets),
        "slots": max(engine["slots"] for engine in engines),
        "block_size": max(engine["block_size"] for engine in engines),
        **{key: config["vllm"][key] for key in own},
    }


def perf_model_targets():
    """Performance models that take no GPU and no hand to build, named like the committed ones."""
    models = [hardware["perf_model"] for hardware in config["hardware"].values()]
    return [
        f"<results>/perf_models/{Path(model['file']).name}"
        for model in models
        if model["provider"] in BUILDERS
    ]


def compared_hardware():
    """The hardware of figure 4: the published pair; of the backend published, what the study measured."""
    if config["backend"] == "published":
        return measured_hardware()
    return [name for name in ("h200-tp2", "a40-tp1") if name in config["hardware"]]


def compared_models():
    """Performance models of the hardware of figure 4."""
    chosen = {
        name: config["hardware"][name]["perf_model"] for name in compared_hardware()
    }
    if config["backend"] != "published":
        return [model["file"] for model in chosen.values()]
    return [
        f"<results>/perf_models/{name}.{model['model']}.published.json"
        for name, model in chosen.items()
    ]


def compared_software(study):
    """What the engine's software adds in figure 4, per hardware, at the smallest token budget."""
    definition = config["studies"][study]
    budgets = [keys["token_budget"] for keys in definition["workloads"].values()]
    return {
        "overheads": {
            name: config["hardware"][name]["overheads"] for name in compared_hardware()
        },
        "token_budget": min(budgets),
        "block_size": definition["engine"]["block_size"],
    }
