"""What the rules share: the checked configuration, and named functions of it and of wildcards."""

import sys
from pathlib import Path

# The sources beside this workflow are what runs and what is digested, whatever else is installed.
sys.path.insert(0, str(Path(workflow.basedir).parent / "engine"))

import headrace.config
from headrace import study as studies
from headrace.digest import digest, listing
from headrace.errors import HeadraceError
from headrace.scheduling import EVICTIONS, POLICIES
from headrace.script import prepare_jobs

prepare_jobs()
try:
    # Snakemake's error for a file that is not YAML names neither the file nor the line.
    headrace.config.read("config/config.yaml")
except HeadraceError as error:
    sys.exit(str(error))


configfile: "config/config.yaml"


try:
    config.update(
        headrace.config.load(
            config,
            ["config/config.yaml", *workflow.overwrite_configfiles],
            workflow.config_settings.config,
        )
    )
except HeadraceError as error:
    sys.exit(str(error))


def workload_names(generated):
    """Pattern of the workloads that a generator makes (or that come from traces); matches none if none."""
    names = [
        name
        for name, workload in config["workloads"].items()
        if (workload["source"] == "synthetic") == generated
    ]
    return "|".join(names) or "(?!)"


def workload_key(key):
    """A function of the wildcards that looks up a key of the configured workload."""

    def value(wildcards):
        return config["workloads"][wildcards.workload][key]

    return value


def generator_parameters(wildcards):
    return config["generators"][wildcards.workload]


def workload_sources(maker, alternatives):
    """A function of the wildcards: the digest of a module and of the alternative for the workload.

    `alternatives` is the name of the modules that stand for one workload each.
    """

    def value(wildcards):
        others = config["workloads"].keys() - {wildcards.workload}
        return digest(maker, skip=[alternatives.format(other) for other in others])

    return value


def trace_folder(wildcards):
    """The traces of a workload: downloaded, or in a folder that the config names."""
    source = config["workloads"][wildcards.workload]["source"]
    if source == "published":
        return rules.fetch_traces.output[0].format(study=wildcards.study)
    return source


def trace_subfolder(wildcards):
    """Where in the downloaded data set the traces lie; "." in a folder of one's own."""
    if config["workloads"][wildcards.workload]["source"] == "published":
        return config["published"]["folders"][wildcards.workload]
    return "."


def trace_listing(wildcards):
    """What tells whether a file in a folder of one's own has changed: the folder's own time does not."""
    source = config["workloads"][wildcards.workload]["source"]
    return None if source == "published" else listing(source)


def published_folders():
    """Folders of the public data set that the configuration needs; none named means all of it."""
    workloads = config["workloads"].items()
    names = [name for name, workload in workloads if workload["source"] == "published"]
    folders = {config["published"]["folders"].get(name) for name in names}
    return [] if folders & {None, "."} else sorted(folders)


def perf_model(wildcards):
    return config["hardware"][wildcards.hardware]["perf_model"]["file"]


def perf_provider(wildcards):
    return config["hardware"][wildcards.hardware]["perf_model"]["provider"]


def cell_spec(wildcards):
    return studies.cell_spec(config, wildcards.study, studies.typed_axes(wildcards))


def cell_sources(wildcards):
    """The digest of what serves a cell: the engine, and its own policy only."""
    return digest("headrace.cell", f"headrace.scheduling.policies.{wildcards.policy}")


def cells(study, **axes):
    """Requests tables of all cells of a study, or of those with the given values of axes."""
    return [
        f"<results>/{study}/cells/{studies.cell_folder(cell)}/requests.parquet"
        for cell in studies.cells(config["studies"][study], config["backend"])
        if all(cell[axis] == value for axis, value in axes.items())
    ]


def study_workloads(study):
    """The workloads that cells of a study use."""
    found = studies.cells(config["studies"][study], config["backend"])
    return sorted({cell["workload"] for cell in found})


def perf_model_targets():
    """Performance models of all hardware, named like the committed ones."""
    return [
        f"<results>/perf_models/{Path(hardware['perf_model']['file']).name}"
        for hardware in config["hardware"].values()
    ]


def workload_tables(study):
    return [
        f"<results>/{study}/workloads/{workload}.parquet"
        for workload in study_workloads(study)
    ]


def reference_tables(study):
    """The published numbers of a study."""
    return sorted(str(path) for path in Path(f"data/reference/{study}").glob("*.csv"))


def provenance(hardware):
    """What a figure says about where its numbers come from."""
    chosen = config["hardware"][hardware]
    model = Path(chosen["perf_model"]["file"]).name.removesuffix(".json")
    calibrated = (
        "; pool and step time chosen on the calibration set" * chosen["calibrated"]
    )
    return f"simulated; performance model {model}{calibrated}"
