"""Cells on vLLM: which are served together, what that takes, and what is said of the numbers."""

from headrace.perf.architecture import Model
from headrace.vllm.cells.settings import RELEASES
from headrace.vllm.cells.store import FILES

# Of a job, beside the time in which queries arrive: start of the engine; and its slack, for a queue to empty.
START_MINUTES = 30
SLACK = 1.5
# Of the host's memory: the workers, the client and the prompts of a workload; and how much more than its
# weights loading a model takes.
BASE_MB = 24000
LOADED = 1.2


def jobs_on_vllm(study):
    """The cells that one engine serves, by the name of the job; none for another backend."""
    if config["backend"] != "vllm":
        return {}
    return studies.shared(study_cells(study, "vllm"), config["vllm"]["share"])


def served_files(study, found):
    """The tables of the cells of a job, cell by cell."""
    return [
        f"<results>/{study}/cells/{studies.cell_folder(cell)}/{name}"
        for cell in found
        for name in FILES
    ]


def replayed(found):
    """The workloads of the cells of a job."""
    return sorted({cell["workload"] for cell in found})


def arrivals_tables(study, names):
    return [f"<results>/{study}/workloads/{name}.arrivals.parquet" for name in names]


def hardware_of_job(found):
    """The entry of the configuration, with its name."""
    name = found[0]["hardware"]
    return {"name": name, **config["hardware"][name]}


def served_specs(study, found):
    """What the job is told of each of its cells."""
    return [
        {
            "spec": studies.cell_spec(config, study, cell),
            "sources": vllm_sources(cell["policy"]),
        }
        for cell in found
    ]


def vllm_sources(*policies):
    """The digest of what serves a cell on vLLM: client, scheduler, swap connector, and its own policy only."""
    return digest(
        "headrace.vllm.cells.cell",
        "headrace.vllm.scheduler",
        "headrace.vllm.swap",
        *(f"headrace.scheduling.policies.{policy}" for policy in policies),
    )


def templates(names):
    """By workload: tokens that all its prompts begin with, where a generator says so."""
    return {
        name: config["generators"][name]["template_tokens"]
        for name in names
        if config["workloads"][name]["source"] == "synthetic"
    }


def engine_settings():
    """What of the key `vllm` the engine is told."""
    own = ("max_model_len", "dtype", "gpu_memory_utilization", "extra_args")
    return {key: config["vllm"][key] for key in own}


def gpus_of_job(found):
    """GPUs that it takes; none for the CPU build."""
    hardware = hardware_of_job(found)
    return 0 if hardware["gpu"] == "cpu" else hardware["tensor_parallel"]


def gpu_model_of_job(found):
    """Their kind, in the words of the batch system; "" without one."""
    return short_name(hardware_of_job(found)["gpu"]) if gpus_of_job(found) else ""


def memory_of_job(study, found):
    """MB of the host: its swap pool, and weights on their way to the GPUs."""
    model = Model(**config["models"][config["studies"][study]["model"]])
    block_bytes = (
        model.kv_bytes_per_token * config["studies"][study]["engine"]["block_size"]
    )
    pool = hardware_of_job(found)["host_blocks"] * block_bytes
    return BASE_MB + int((pool + LOADED * model.weight_bytes) / 1e6)


def minutes_of_job(study, found):
    """Minutes until its cells are served, one after another, in real time."""
    seconds = sum(
        config["workloads"][cell["workload"]]["worlds"]
        * (
            config["workloads"][cell["workload"]]["queries"] / cell["qps"]
            + cell["delay"] * longest_query_s(cell["workload"])
        )
        for cell in found
    )
    return START_MINUTES + int(SLACK * seconds / 60)


def longest_query_s(workload):
    """Seconds from the start of a workload's longest query to its end, as its generator knows them."""
    generator = config["generators"].get(workload)
    return generator["duration_s"]["max"] if generator else 60


def measured_note():
    """What is said of numbers that were measured, but for where."""
    random = config["vllm"]["load_format"] == "dummy"
    return (
        f"measured on vLLM {RELEASES} with Headrace's plugin"
        + ", dummy weights" * random
    )
