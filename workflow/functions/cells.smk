"""The cells of a study: their folders, tables and specs."""

from headrace import study as studies
from headrace.run_logs.names import PUBLISHED_EVICTIONS
from headrace.timing import STREAMS


def results_of(study, backend=config["backend"]):
    """Folder of what is computed from cells; the simulator's own is the study's folder."""
    folder = f"{config['results']}/{study}"
    return folder if backend == "sim" else f"{folder}/{backend}"


def study_cells(study, backend):
    """The axes of a study's cells; nobody published a run with an eviction rule of ours."""
    whole = studies.cells(config["studies"][study], backend)
    return [
        cell
        for cell in whole
        if backend != "published" or cell["eviction"] in PUBLISHED_EVICTIONS
    ]


def published_cells(wildcards):
    return study_cells(wildcards.study, "published")


def chosen_cells(study, backend=config["backend"], **axes):
    """The axes of those of a study's cells that have the given values: one value of an axis, or a list."""
    wanted = {
        axis: value if isinstance(value, list) else [value]
        for axis, value in axes.items()
    }
    return [
        cell
        for cell in study_cells(study, backend)
        if all(cell[axis] in values for axis, values in wanted.items())
    ]


def grid(study, backend=config["backend"], **axes):
    """Folders of the study's cells, or of those with the given values of axes."""
    return [
        f"{config['results']}/{study}/cells/{studies.cell_folder(cell)}"
        for cell in chosen_cells(study, backend, **axes)
    ]


def cells(study, backend=config["backend"], table="requests.parquet", **axes):
    """Tables (of one name) of all cells of a study, or of those with the given values of axes.

    Which of them the published run logs hold is known when the logs have been read.
    """
    tables = [f"{folder}/{table}" for folder in grid(study, backend, **axes)]
    if backend != "published":
        return tables

    def found(wildcards):
        checkpoints.read_run_logs.get(study=study)
        return [file for file in tables if Path(file).exists()]

    return found


def logged_events(study, **axes):
    """What metrics read of run logs beside the cells' requests tables; no other backend has it."""
    if config["backend"] != "published":
        return []
    return cells(study, table="events.parquet", **axes)


def cell_spec(wildcards):
    return studies.cell_spec(config, wildcards.study, studies.typed_axes(wildcards))


def cell_sources(wildcards):
    """The digest of what serves a cell: the engine, and its own policy only."""
    return digest("headrace.cell", f"headrace.scheduling.policies.{wildcards.policy}")


def stretched(study):
    """The delays of a study that stretch the waits: memory pressure."""
    found = studies.cells(config["studies"][study], config["backend"])
    return sorted({cell["delay"] for cell in found} - {1})


def study_hardware(study, **axes):
    """The hardware of those of a study's cells that have the given axes, the study's main one first."""
    return list(dict.fromkeys(cell["hardware"] for cell in chosen_cells(study, **axes)))


def timing_options(study):
    """What a scheduling pass is timed with: policies, token budgets of workloads that it has queues of,
    and how often.
    """
    definition = config["studies"][study]
    return {
        "policies": sorted({policy["policy"] for policy in definition["policies"]}),
        "token_budgets": {
            name: workload["token_budget"]
            for name, workload in definition["workloads"].items()
            if name in STREAMS
        },
        "passes": definition["timed_passes"],
    }


def policy_sources(study, module):
    """The digest of a module and of the policies of a study."""
    names = timing_options(study)["policies"]
    return digest(module, *(f"headrace.scheduling.policies.{name}" for name in names))


def run_lists(study):
    """What became of every run log, where the backend reads them."""
    published = config["backend"] == "published"
    return [f"<results>/{study}/published/runs.csv"] if published else []
