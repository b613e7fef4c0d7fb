"""What the rules share: the checked configuration, and named functions of it and of wildcards."""

import sys
from pathlib import Path

# The sources beside this workflow are what runs and what is digested, whatever else is installed.
sys.path.insert(0, str(Path(workflow.basedir).parent / "engine"))

import headrace.config
from headrace import study as studies
from headrace.digest import digest, listing
from headrace.errors import HeadraceError
from headrace.files import sha256
from headrace.perf.profiler.devices import short_name
from headrace.run_logs.names import PUBLISHED_EVICTIONS
from headrace.scheduling import EVICTIONS, POLICIES
from headrace.script import prepare_jobs
from headrace.timing import STREAMS

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
        return dataset(wildcards)
    return source


def dataset(wildcards):
    """The public data set: in a folder that the config names, or downloaded."""
    return config["data"] or rules.fetch_dataset.output[0].format(study=wildcards.study)


def trace_subfolder(wildcards):
    """Where in the downloaded data set the traces lie; "." in a folder of one's own."""
    if config["workloads"][wildcards.workload]["source"] == "published":
        return config["published"]["folders"][wildcards.workload]
    return "."


def trace_listing(wildcards):
    """What tells whether a file in a folder of one's own has changed: the folder's own time does not."""
    source = config["workloads"][wildcards.workload]["source"]
    folder = config["data"] if source == "published" else source
    return listing(folder) if folder else None


def dataset_listing(wildcards):
    """What tells whether a file in a data set of one's own has changed."""
    return listing(config["data"]) if config["data"] else None


def published_folders():
    """Folders of the public data set that the configuration needs; none named means all of it."""
    workloads = config["workloads"].items()
    names = [name for name, workload in workloads if workload["source"] == "published"]
    folders = {config["published"]["folders"].get(name) for name in names}
    if config["backend"] == "published":
        folders |= {"run_log", *measurement_folders()}
    return [] if folders & {None, "."} else sorted(folders)


def perf_model(wildcards):
    return config["hardware"][wildcards.hardware]["perf_model"]["file"]


def perf_provider(wildcards):
    return config["hardware"][wildcards.hardware]["perf_model"]["provider"]


def gpus(wildcards):
    """GPUs that a job on this hardware takes."""
    return config["hardware"][wildcards.hardware]["tensor_parallel"]


def gpu_model(wildcards):
    """Their kind, in the words of the batch system."""
    return short_name(config["hardware"][wildcards.hardware]["gpu"])


def cell_spec(wildcards):
    return studies.cell_spec(config, wildcards.study, studies.typed_axes(wildcards))


def cell_sources(wildcards):
    """The digest of what serves a cell: the engine, and its own policy only."""
    return digest("headrace.cell", f"headrace.scheduling.policies.{wildcards.policy}")


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


def grid(study, backend=config["backend"], **axes):
    """Folders of the study's cells, or of those with the given values of axes: one value, or a list."""
    wanted = {
        axis: value if isinstance(value, list) else [value]
        for axis, value in axes.items()
    }
    return [
        f"{config['results']}/{study}/cells/{studies.cell_folder(cell)}"
        for cell in study_cells(study, backend)
        if all(cell[axis] in values for axis, values in wanted.items())
    ]


def stretched(study):
    """The delays of a study that stretch the waits: memory pressure."""
    found = studies.cells(config["studies"][study], config["backend"])
    return sorted({cell["delay"] for cell in found} - {1})


def study_hardware(study, delay):
    """The hardware of a study's cells with the given delay or delays, the study's main one first."""
    delays = delay if isinstance(delay, list) else [delay]
    found = studies.cells(config["studies"][study], config["backend"])
    return list(
        dict.fromkeys(cell["hardware"] for cell in found if cell["delay"] in delays)
    )


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


def workload_tables(study, workloads=None):
    """The chunk tables of the study's workloads, or of the given ones."""
    names = study_workloads(study) if workloads is None else workloads
    return [f"<results>/{study}/workloads/{name}.parquet" for name in names]


def scored_workloads(study):
    """The workloads whose statistics stand beside published ones: a generated one is not the logs'."""
    return [
        workload
        for workload in study_workloads(study)
        if config["backend"] == "sim"
        or config["workloads"][workload]["source"] != "synthetic"
    ]


def trace_counts(study):
    """What was read and skipped of the study's workloads that come from traces."""
    return [
        f"<results>/{study}/workloads/{workload}.traces.json"
        for workload in study_workloads(study)
        if config["workloads"][workload]["source"] != "synthetic"
    ]


def run_lists(study):
    """What became of every run log, where the backend reads them."""
    published = config["backend"] == "published"
    return [f"<results>/{study}/published/runs.csv"] if published else []


def reference_tables(study):
    """The published numbers of a study."""
    return sorted(str(path) for path in Path(f"data/reference/{study}").glob("*.csv"))


def provenance(hardware, backend=config["backend"], **axes):
    """What a figure or a table of cells says about where its numbers come from; one hardware or a list."""
    if backend == "published":
        return published_provenance("stream2llm", hardware=hardware, **axes)
    names = hardware if isinstance(hardware, list) else [hardware]
    models, calibrated = [], []
    for name in names:
        chosen = config["hardware"][name]
        models.append(Path(chosen["perf_model"]["file"]).name.removesuffix(".json"))
        calibrated += [name] * chosen["calibrated"]
    plural = "s" * (len(models) > 1)
    text = f"simulated; performance model{plural} {' and '.join(models)}"
    if calibrated:
        whose = f" of {' and '.join(calibrated)}" * (len(models) > 1)
        text += f"; pool and step time{whose} chosen on the calibration set"
    return text


def workload_provenance(workloads):
    """What a figure or a table of workloads says about where they come from."""
    origins = {}
    for name in workloads:
        synthetic = config["workloads"][name]["source"] == "synthetic"
        origin = (
            "generated from published statistics" if synthetic else "read from traces"
        )
        origins.setdefault(origin, []).append(name)
    return "; ".join(
        f"{origin}: {' and '.join(names)}" for origin, names in origins.items()
    )


def published_provenance(study, name="cells", **axes):
    """A function of the wildcards and the input: read from run logs, and how many of them are not there.

    `name` is the input with the cells.
    """
    wanted = len(grid(study, "published", **axes))

    def value(wildcards, input):
        missing = wanted - len(getattr(input, name))
        gaps = f"; runs missing: {missing} of {wanted}, see runs.csv" * bool(missing)
        return f"read from the study's run logs{gaps}"

    return value


def workload_sizes(workloads):
    """What a caption says about how much of these workloads there is."""
    texts = []
    for name in workloads:
        chosen = config["workloads"][name]
        what = f"queries in each of {chosen['worlds']} worlds"
        if chosen["source"] != "synthetic":
            what = "traces, the same in every world"
        texts.append(f"{name}: {chosen['queries']:,} {what}")
    return "; ".join(texts)


def measured_hardware():
    """Hardware of which the configuration names the study's own measurements of recompute and swap."""
    return [name for name, keys in config["hardware"].items() if keys.get("published")]


def measurement_folders():
    """Folders of the public data set with the study's own measurements, those not found here."""
    files = [
        Path(file)
        for name in measured_hardware()
        for file in config["hardware"][name]["published"].values()
    ]
    return {str(file.parent) for file in files if not file.is_file()}


def measurement_files(wildcards):
    """The study's own two files of a hardware, by key: where the config says, or there in the data set."""
    folder = config["data"] or f"{config['results']}/stream2llm/dataset"
    named = config["hardware"][wildcards.hardware].get("published") or {}
    return {
        key: file if Path(file).is_file() else f"{folder}/{file}"
        for key, file in named.items()
    }


def measurements(wildcards):
    """What has to be there before a model is built of the study's own measurements."""
    if wildcards.provider != "published":
        return []
    files = list(measurement_files(wildcards).values())
    fetched = f"{config['results']}/stream2llm/dataset"
    inside = any(Path(fetched) in Path(file).parents for file in files)
    return [fetched] if inside else files


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
    if config["backend"] == "sim":
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


def model_provenance():
    """What figure 4 says about where its numbers come from."""
    if config["backend"] == "published":
        return "measured by the study; the software of its engine is in the times"
    text = "performance models of the simulator; software overheads are estimates"
    hardware = compared_hardware()
    chosen = [name for name in hardware if config["hardware"][name]["calibrated"]]
    if chosen:
        text += f", step time of {' and '.join(chosen)} chosen on the calibration set"
    return text


def sizes(*workloads):
    """What a caption says about how much of these workloads is shown per cell."""
    if config["backend"] == "published":
        return "one run of the study per cell"
    return workload_sizes(workloads)


def check_data_set():
    """Raises HeadraceError when the configuration names no public data set."""
    if not (config["data"] or config["published"]["revision"]):
        raise HeadraceError(
            "config/config.yaml: key data",
            "names no folder of the public data set, and published.revision nothing to download",
            "add --config data=<folder>",
        )


def report_setting(study):
    """What the front page of the report says of the study and of the configuration."""
    return {
        "study": study,
        "backend": config["backend"],
        "config_sha256": sha256(config),
        "config_files": [
            "config/config.yaml",
            *map(str, workflow.overwrite_configfiles),
        ],
        "command_line": workflow.config_settings.config,
        "calibrated": {
            name: hardware["calibrated"]
            for name, hardware in config["hardware"].items()
        },
    }


# The cells that figures show.
MAIN_GRID = {"hardware": "h200-tp2", "delay": 1}
SHOWN = {
    "fig5": MAIN_GRID,
    "fig6": MAIN_GRID | {"workload": "crawler"},
    "fig7": MAIN_GRID | {"workload": "anns"},
    "fig11": MAIN_GRID,
    "fig12": MAIN_GRID | {"workload": "anns", "stream": True},
}


def side_cells(backend):
    """A function of the wildcards: the cells of one side of a figure that is drawn on both backends."""

    def tables(wildcards):
        if backend == "published":
            check_data_set()
        found = cells("stream2llm", backend, **SHOWN[wildcards.figure])
        return found(wildcards) if callable(found) else found

    return tables


def side_options(wildcards):
    return {"figure": wildcards.figure}


def side_provenance(wildcards, input):
    """Where the numbers of both sides come from, by their headings."""
    shown = SHOWN[wildcards.figure]
    logs = published_provenance("stream2llm", "logs", **shown)
    provider = config["hardware"][shown["hardware"]]["perf_model"]["provider"]
    heading = (
        "simulated (silicon tables)"
        if provider == "silicon"
        else f"simulated ({provider})"
    )
    return {
        heading: provenance(backend="sim", **shown),
        "published run logs": logs(wildcards, input),
    }


def figure(name, subcategory):
    """The files of a figure of Stream2LLM."""
    stem = f"<stream2llm>/figures/{name}"
    vector = report(
        f"{stem}.svg",
        caption=f"../report/stream2llm_{name}.rst",
        category="Stream2LLM",
        subcategory=subcategory,
        labels={"figure": name.removeprefix("fig")},
    )
    return {"svg": vector, "pdf": f"{stem}.pdf", "png": f"{stem}.png"}


def table(name):
    """The files of a table of Stream2LLM."""
    stem = f"<stream2llm>/tables/{name}"
    return {"csv": f"{stem}.csv", "md": f"{stem}.md"}


# What can be drawn from cells alone, from workloads, from performance models, from timings here.
OF_CELLS = ("fig5", "fig6", "fig7", "fig11", "fig12", "table3", "table4", "inline")
OF_WORKLOADS = ("fig8", "fig9", "fig10", "table2")
OF_MODELS = ("fig4",)
TIMED = ("sched_latency",)


def not_in_run_logs():
    """The figures and tables of Stream2LLM that the backend can't give, by what they would need.

    Run logs say nothing of workloads and performance models: these come from the data set's traces and
    measurements where the configuration names them.
    """
    needs = {}
    if config["backend"] == "published":
        needs["a machine to time it on: backend sim"] = TIMED
        if scored_workloads("stream2llm") != study_workloads("stream2llm"):
            needs["traces of all workloads: workloads.<name>.source"] = OF_WORKLOADS
        if not measured_hardware():
            needs["the study's measurements: hardware.<name>.published"] = OF_MODELS
    return needs


def stream2llm_products():
    """All figures and tables of Stream2LLM that the backend can give."""
    left_out = {name for names in not_in_run_logs().values() for name in names}
    names = [*OF_CELLS, *OF_WORKLOADS, *OF_MODELS, *TIMED]
    return [
        getattr(rules, f"stream2llm_{name}").output
        for name in names
        if name not in left_out
    ]


def table_pages():
    """The pages of the tables among what Stream2LLM gives."""
    tables = [output.csv for output in stream2llm_products() if "csv" in output.keys()]
    return [str(Path(table).with_suffix(".html")) for table in tables]
