"""What the repeats of a profile say: their spread, and what a copy per block costs."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median, stdev

from headrace.perf.documents import BLOCK_TOKENS, significant
from headrace.perf.fit import mean, polynomial_fit

SwapTimes = Mapping[int, tuple[Sequence[float], Sequence[float]]]
"""Seconds of the repeats by tokens: in, out."""


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
