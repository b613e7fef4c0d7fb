"""What a profile measured, and the file's sections from it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median, stdev

from headrace.perf.documents import (
    BLOCK_TOKENS,
    fitted_step_section,
    recompute_section,
    significant,
    swap_section,
)
from headrace.perf.fit import mean, polynomial_fit
from headrace.perf.profiler import grid
from headrace.perf.step_fit import Pass, fit_step

SwapTimes = Mapping[int, tuple[Sequence[float], Sequence[float]]]
"""Seconds of the repeats by tokens: in, out."""


@dataclass(slots=True)
class Measured:
    """Seconds of all repeats that count, each those of the slowest rank."""

    recompute: dict[int, list[float]] = field(default_factory=dict)
    """By tokens."""
    steps: dict[grid.Shape, list[float]] = field(default_factory=dict)
    swap: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict)
    """By tokens: in, out; as one batched copy."""
    swap_per_block: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict)
    """By tokens: in, out; as one copy per layer, K and V, and block."""


def sections(
    measured: Measured, planned: grid.Grid, ran_on: Mapping[str, object], graphs: bool
) -> dict[str, object]:
    """`step`, `recompute`, `swap`, `swap_per_block` and `provenance`.

    `ran_on`: device, devices, software and attention kernel, for the provenance; `graphs`: whether passes
    were replayed from CUDA graphs.
    """
    passes = [Pass(*shape, mean(repeats)) for shape, repeats in measured.steps.items()]
    passes += [Pass(1, tokens, 0, mean(repeats)) for tokens, repeats in measured.recompute.items()]
    fit = fit_step(passes)
    errors = fit.errors(passes)
    how = "forward passes and block copies measured with torch and transformers' Llama, random weights"
    if ran_on["device"] == "cpu":
        how = f"on a CPU, which says nothing about any GPU: {how}"
    return {
        "step": fitted_step_section(fit, errors),
        "recompute": recompute_section(list(measured.recompute), list(measured.recompute.values())),
        "swap": _swap_section(measured.swap),
        "swap_per_block": _swap_section(measured.swap_per_block),
        "provenance": {
            "how": how,
            **ran_on,
            "cuda_graph_up_to_tokens": grid.GRAPH_TOKENS if graphs else 0,
            "swap_per_block_copies": "asynchronous, issued one by one by torch's loop in C++",
            "repeats": {
                "recompute_and_swap": grid.REPEATS,
                "of_which_dropped": grid.DROPPED,
                "step": grid.STEP_REPEATS,
                "step_of_which_dropped": grid.STEP_DROPPED,
            },
            "relative_std": {
                "step": spread(measured.steps.values()),
                "recompute": spread(measured.recompute.values()),
                "swap": spread(repeats for both in measured.swap.values() for repeats in both),
                "swap_per_block": spread(
                    repeats for both in measured.swap_per_block.values() for repeats in both
                ),
            },
            "step_passes": [
                [step.requests, step.new_tokens, step.context_tokens, significant(step.seconds)]
                for step in passes
            ],
            "step_median_rel_error": significant(errors["median_rel_error"]),
            "left_out_for_lack_of_memory": planned.left_out,
            "suggested_swap_block_s": swap_block_s(measured.swap_per_block, measured.swap),
        },
    }


def spread(points: Iterable[Sequence[float]]) -> dict[str, float]:
    """Relative standard deviation of the repeats of a point: median and largest over the points."""
    deviations = [stdev(repeats) / mean(repeats) for repeats in points]
    return {"median": significant(median(deviations)), "max": significant(max(deviations))}


def swap_block_s(per_block: SwapTimes, batched: SwapTimes) -> float:
    """Seconds that copying block by block costs beyond a batched copy, per block and direction.

    The slope of the difference of the means against the number of blocks, half of in + out; 0 where
    copying block by block is not slower.
    """
    blocks = [-(-tokens // BLOCK_TOKENS) for tokens in batched]
    differences = [
        sum(mean(a) - mean(b) for a, b in zip(per_block[tokens], batched[tokens], strict=True)) / 2
        for tokens in batched
    ]
    return significant(max(polynomial_fit(blocks, differences, degree=1).coefficients[1], 0.0))


def _swap_section(table: SwapTimes) -> dict[str, object]:
    in_s, out_s = zip(*table.values(), strict=True)
    return swap_section(list(table), in_s, out_s)
