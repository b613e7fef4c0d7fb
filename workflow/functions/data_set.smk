"""The public data set: its folder, what is needed of it, and the study's own measurements in it."""


def dataset(wildcards):
    """The public data set: in a folder that the config names, or downloaded."""
    return config["data"] or rules.fetch_dataset.output[0].format(study=wildcards.study)


def dataset_listing(wildcards):
    """What tells whether a file in a data set of one's own has changed."""
    return listing(config["data"]) if config["data"] else None


def check_data_set():
    """Raises HeadraceError when the configuration names no public data set."""
    if not (config["data"] or config["published"]["revision"]):
        raise HeadraceError(
            "config/config.yaml: key data",
            "names no folder of the public data set, and published.revision nothing to download",
            "add --config data=<folder>",
        )


def published_folders():
    """Folders of the public data set to download: the run logs, and what the configuration names of the rest.

    Not by backend: figures side by side need the logs on any, and a change of it downloads nothing again.
    None named means all of it.
    """
    workloads = config["workloads"].items()
    names = [name for name, workload in workloads if workload["source"] == "published"]
    traces = {config["published"]["folders"].get(name) for name in names}
    folders = {"run_log", *measurement_folders(), *traces}
    return [] if folders & {None, "."} else sorted(folders)


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


def reference_tables(study):
    """The published numbers of a study."""
    return sorted(str(path) for path in Path(f"data/reference/{study}").glob("*.csv"))
