"""What figures, tables and the report say about where their numbers come from."""

from os.path import relpath

from headrace.files import sha256


def provenance(hardware, backend=config["backend"], **axes):
    """What a figure or a table of cells says about where its numbers come from; one hardware or a list."""
    if backend == "published":
        return published_provenance("stream2llm", hardware=hardware, **axes)
    names = hardware if isinstance(hardware, list) else [hardware]
    if backend == "vllm":
        return measured_provenance(names)
    files = [Path(config["hardware"][name]["perf_model"]["file"]) for name in names]
    models = " and ".join(file.name.removesuffix(".json") for file in files)
    text = f"simulated; performance model{'s' * (len(files) > 1)} {models}"
    note = studies.calibration_note(config["hardware"], names)
    return f"{text}; {note}" if note else text


def measured_provenance(names):
    """What is said of cells on vLLM: on which GPUs; exact versions are in each cell.json."""
    gpus = [
        "{tensor_parallel} x {gpu}".format(**config["hardware"][name]) for name in names
    ]
    note = studies.calibration_note(config["hardware"], names)
    pool = "; KV pool fitted to the calibration set" if note else ""
    return f"{measured_note()}; {' and '.join(gpus)}{pool}"


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


def roles_of_numbers(study):
    """The declared roles of published numbers: a fit and a generator had no part in the study's own logs."""
    declared = config["calibration"][study]
    if config["backend"] != "published":
        return declared
    return {"excluded": declared.get("excluded", [])}


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


def model_provenance():
    """What figure 4 says about where its numbers come from."""
    if config["backend"] == "published":
        return "measured by the study; the software of its engine is in the times"
    text = "performance models of the simulator; software overheads are estimates"
    note = studies.calibration_note(config["hardware"], compared_hardware())
    return f"{text}; {note}" if note else text


def sizes(**axes):
    """What a caption says about how much is shown of the cells with these axes, and on which GPUs."""
    shown = chosen_cells("stream2llm", **axes)
    workloads = dict.fromkeys(cell["workload"] for cell in shown)
    gpus = [
        "{gpu}, tensor parallel {tensor_parallel}".format(**config["hardware"][name])
        for name in study_hardware("stream2llm", **axes)
    ]
    one_run = config["backend"] == "published"
    size = "one run of the study per cell" if one_run else workload_sizes(workloads)
    return "; ".join([size, *gpus])


def report_setting(study):
    """What the front page of the report says of the study and of the configuration."""
    files = workflow.overwrite_configfiles
    return {
        "study": study,
        "backend": config["backend"],
        "config_sha256": sha256(config),
        "config_files": [relpath(file) for file in ("config/config.yaml", *files)],
        "command_line": workflow.config_settings.config,
        "calibrated": {
            name: hardware["calibrated"]
            for name, hardware in config["hardware"].items()
        },
    }
