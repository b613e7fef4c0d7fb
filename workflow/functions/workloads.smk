"""The workloads of the configuration, and where their traces lie."""


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


def candidates(wildcards):
    """Draws of which world 0 is the most typical."""
    return config["workloads"][wildcards.workload].get("typical_of", 1)


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


def study_workloads(study):
    """The workloads that cells of a study use."""
    found = studies.cells(config["studies"][study], config["backend"])
    return sorted({cell["workload"] for cell in found})


def workload_tables(study, workloads=None):
    """The chunk tables of the study's workloads, or of the given ones."""
    names = study_workloads(study) if workloads is None else workloads
    return [f"<results>/{study}/workloads/{name}.parquet" for name in names]


def scored_workloads(study):
    """The workloads whose statistics stand beside published ones: a generated one is not the logs'."""
    return [
        workload
        for workload in study_workloads(study)
        if config["backend"] != "published"
        or config["workloads"][workload]["source"] != "synthetic"
    ]


def trace_counts(study):
    """What was read and skipped of the study's workloads that come from traces."""
    return [
        f"<results>/{study}/workloads/{workload}.traces.json"
        for workload in study_workloads(study)
        if config["workloads"][workload]["source"] != "synthetic"
    ]


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
