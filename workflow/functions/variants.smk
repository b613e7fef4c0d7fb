"""Runs beside the grid of a study: which there are, on what, and with which part of the configuration."""

from headrace.variants.definition import BASELINE, movable, shown_hardware


def variants_of(study):
    """What the configuration says of the runs beside the grid; empty where it says nothing, or simulates nothing."""
    if config["backend"] != "sim":
        return {}
    return config.get("variants", {}).get(study, {})


def varied_hardware(study):
    """The hardware that they are on."""
    return shown_hardware(config["studies"][study])


def varied_workloads(study):
    """The study's workloads that they are of: those that a generator draws."""
    if not variants_of(study):
        return []
    found = {
        cell["workload"]
        for cell in study_cells(study, "sim")
        if cell["hardware"] == varied_hardware(study)
    }
    return sorted(
        name for name in found if config["workloads"][name]["source"] == "synthetic"
    )


def varied_cells(study, **axes):
    """Axes of the study's cells on that hardware, of those workloads."""
    chosen = {
        "hardware": varied_hardware(study),
        "workload": varied_workloads(study),
    }
    return chosen_cells(study, "sim", **chosen, **axes)


def redrawn_cells(wildcards):
    """The cells of a workload that are served on further draws."""
    evictions = variants_of("stream2llm")["floor"]["evictions"]
    chosen = varied_cells("stream2llm", eviction=evictions)
    return [cell for cell in chosen if cell["workload"] == wildcards.workload]


def draws_of(wildcards):
    return variants_of("stream2llm")["floor"]["draws"][wildcards.workload]


def draws(study):
    """The metrics of all workloads that are drawn anew."""
    names = varied_workloads(study)
    return [f"<results>/{study}/variants/draws/{name}.parquet" for name in names]


def fastest_cells(study):
    """The cells of the main grid at the highest rate of their workload."""
    cells_of = {}
    for cell in varied_cells(study, delay=1):
        cells_of.setdefault(cell["workload"], []).append(cell)
    return [
        cell
        for found in cells_of.values()
        for cell in found
        if cell["qps"] == max(each["qps"] for each in found)
    ]


def movable_of(study):
    """The claims that can be looked at here, and the assumptions that can move one of them."""
    definition = variants_of(study).get("sensitivity")
    if not definition:
        return [], []
    return movable(definition, varied_hardware(study), varied_workloads(study))


def assumptions(study):
    """Names of what is moved."""
    _, found = movable_of(study)
    return [assumption.name for assumption in found]


def moved_definition(wildcards):
    """What a job of one assumption is told: its own, so that a further one does not move it again."""
    whole = variants_of("stream2llm")["sensitivity"]
    own = [
        each for each in whole["assumptions"] if each["name"] == wildcards.assumption
    ]
    return {**whole, "assumptions": own}


def outcomes(study):
    """What the claims came to with nothing moved and with each assumption moved."""
    folder = f"<results>/{study}/variants/sensitivity"
    return [f"{folder}/{name}.csv" for name in (BASELINE, *assumptions(study))]


def varied_configuration(study, workloads=None):
    """The part of the configuration that decides runs beside the grid, of some workloads or of all."""
    names = varied_workloads(study) if workloads is None else workloads
    definition = config["studies"][study]
    kept = {key: definition[key] for key in ("model", "engine", "workloads")}
    hardware = varied_hardware(study)
    return {
        "seed": config["seed"],
        "hardware": {hardware: config["hardware"][hardware]},
        "workloads": {name: config["workloads"][name] for name in names},
        "generators": {name: config["generators"][name] for name in names},
        "studies": {study: kept},
    }


def redrawn_configuration(wildcards):
    return varied_configuration("stream2llm", [wildcards.workload])


def varied_model(study):
    """The performance model of that hardware."""
    return config["hardware"][varied_hardware(study)]["perf_model"]["file"]


def serving_sources(module, policies, workloads):
    """The digest of a module that serves cells: with these policies, of these workloads' generators only."""
    names = [f"headrace.scheduling.policies.{name}" for name in policies]
    others = config["workloads"].keys() - set(workloads)
    skip = [f"headrace.workload.synthetic_{name}" for name in sorted(others)]
    return digest(module, *names, skip=skip)


def redrawn_sources(wildcards):
    policies = timing_options("stream2llm")["policies"]
    return serving_sources("headrace.variants.floor", policies, [wildcards.workload])


def parity_sources():
    policies = timing_options("stream2llm")["policies"]
    names = varied_workloads("stream2llm")
    return serving_sources("headrace.variants.parity", policies, names)


def claim_sources():
    """The policies that claims name, no others."""
    claims, _ = movable_of("stream2llm")
    policies = sorted({cell["policy"] for claim in claims for cell in claim.cells})
    names = varied_workloads("stream2llm")
    return serving_sources("headrace.variants.sensitivity", policies, names)


def sensitivity_options(study):
    """What the figure and the table of sensitivity are told."""
    return {
        "definition": variants_of(study).get("sensitivity"),
        "hardware": varied_hardware(study),
    }


def variant_provenance(study):
    """Where the numbers of runs beside the grid come from."""
    return provenance(varied_hardware(study), "sim")


def variant_sizes(study, part):
    """What a caption says about how much is shown."""
    hardware = config["hardware"][varied_hardware(study)]
    worlds = variants_of(study).get(part, {}).get("worlds", {})
    texts = [
        f"{name}: {config['workloads'][name]['queries']:,} queries in each of {worlds[name]} worlds"
        for name in varied_workloads(study)
    ]
    gpu = "{gpu}, tensor parallel {tensor_parallel}".format(**hardware)
    return "; ".join([*texts, gpu])


def variant_names(study):
    """The figures and tables of runs beside the grid that the configuration gives."""
    claims, found = movable_of(study)
    names = ["parity"] if varied_workloads(study) else []
    return [*names, "sensitivity", "sensitivity_table"] if claims and found else names


def floors(study):
    """What a perfect model would show, where there is a workload to draw anew."""
    return [rules.floor.output] if varied_workloads(study) else []
