"""A study: the cells of its grid, where each one lies, and what it is run with."""

import re
from itertools import product

from headrace.axes import TYPES, Axes
from headrace.spec import ON_VLLM, PLUGIN

AXES = tuple(TYPES)
FOLDER = "/".join(f"{axis}={{{axis}}}" for axis in AXES)


def cells(study: dict, backend: str) -> list[Axes]:
    """The axes of every cell, part by part of the grid: hardware x evictions x settings x policies."""
    return [
        {
            "backend": backend,
            "hardware": hardware,
            "workload": setting["workload"],
            "delay": setting["delay"],
            "eviction": eviction,
            "policy": policy["policy"],
            "stream": policy["stream"],
            "qps": float(qps),
        }
        for part in study["grid"].values()
        for hardware, eviction, setting in product(part["hardware"], part["evictions"], part["settings"])
        for qps, policy in product(setting["qps"], study["policies"])
    ]


def cell_folder(axes: Axes) -> str:
    """The hive folder of a cell: backend=sim/hardware=h200-tp2/.../stream=true/qps=4.0."""
    return FOLDER.format(**{axis: _text(axes[axis]) for axis in AXES})


def typed_axes(wildcards: dict[str, str]) -> Axes:
    """The axes from their texts in a path; the inverse of what `cell_folder` writes."""
    return {key: kind(wildcards[key]) for key, kind in TYPES.items()}


def cell_spec(config: dict, study: str, axes: Axes) -> dict:
    """All that decides a cell's result, next to its workload and its performance model.

    `config` is the validated configuration. KV blocks and software overheads come from the
    hardware, the token budget and what the delay stretches from the study's workload. On vLLM the engine
    is the plugin's, whatever the study says of blocks ahead.
    """
    definition = config["studies"][study]
    hardware = config["hardware"][axes["hardware"]]
    workload = definition["workloads"][axes["workload"]]
    source = config["workloads"][axes["workload"]]
    return {
        "study": study,
        **axes,
        "model": definition["model"],
        "tensor_parallel": hardware["tensor_parallel"],
        "worlds": source["worlds"],
        "typical_of": source.get("typical_of", 1) if source["source"] == "synthetic" else None,
        "queries": source["queries"],
        "seed": config["seed"],
        "source": source["source"],
        "delay_scope": workload["delay_scope"],
        "engine": {
            **definition["engine"],
            "token_budget": workload["token_budget"],
            "kv_blocks": hardware["kv_blocks"],
            "host_blocks": hardware["host_blocks"],
            **(PLUGIN if axes["backend"] in ON_VLLM else {}),
        },
        "overheads": hardware["overheads"],
    }


def shared(found: list[Axes], share: list[str]) -> dict[str, list[Axes]]:
    """Cells that are served together: those with equal values of the axes `share`, and of the hardware.

    By a name made of these values, in the order of the cells: "h200_tp2_crawler_fcfs_stream_recompute".
    """
    axes = [axis for axis in AXES if axis in share or axis == "hardware"]
    groups: dict[tuple, list[Axes]] = {}
    for cell in found:
        groups.setdefault(tuple(cell[axis] for axis in axes), []).append(cell)
    return {
        "_".join(map(_word, axes, values)): [*{cell_folder(cell): cell for cell in cells}.values()]
        for values, cells in groups.items()
    }


def calibration_note(hardware: dict[str, dict], names: list[str]) -> str:
    """Which values of these `hardware` entries were fitted to published rows, as a clause; "" for none.

    A GPU that was not looked at itself may have taken the overheads over from one that was.
    """
    fitted = [name for name in names if hardware[name]["calibrated"]]
    sources = [name for name, keys in hardware.items() if keys["calibrated"]]
    taken_over = {
        name: source
        for name in names
        for source in sources
        if name not in fitted and hardware[name]["overheads"] == hardware[source]["overheads"]
    }
    clauses = []
    if fitted:
        whose = f" of {' and '.join(fitted)}" * (len(names) > 1)
        clauses.append(f"pool and overheads{whose} fitted to the calibration set")
    if taken_over:
        takers, source = " and ".join(taken_over), next(iter(taken_over.values()))
        clauses.append(f"overheads of {takers} taken over from {source}, where they were fitted")
    return "; ".join(clauses)


def _text(value: str | int | bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _word(axis: str, value: str | int | bool | float) -> str:
    """The value of an axis as part of a rule's name."""
    if axis == "stream":
        return "stream" if value else "whole"
    text = f"{axis}{value:g}" if axis in ("delay", "qps") else str(value)
    return re.sub(r"\W", "_", text)
