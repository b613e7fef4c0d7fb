"""95 % prediction interval for one run, from the spread over worlds.

A published number is one run. The interval says where one more run of ours would fall, not how well we know
our mean. Worlds are independent draws; requests inside a run share a queue and are not, so that nothing is
resampled here.
"""

import math
from functools import cache

import numpy as np

COVERAGE = 0.95


@cache
def t_quantile(probability: float, degrees: int) -> float:
    """Quantile (`probability` above 0.5) of Student's t, by bisection of its exact distribution function.

    For whole degrees of freedom that is a finite sum: Abramowitz and Stegun, 26.7.3 and 26.7.4.
    """
    low, high = 0.0, 1.0
    while _inside(high, degrees) < 2 * probability - 1:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if _inside(middle, degrees) < 2 * probability - 1:
            low = middle
        else:
            high = middle
    return high


def _inside(t: float, degrees: int) -> float:
    """Probability that |T| < t."""
    angle = math.atan(t / math.sqrt(degrees))
    cosine, odd = math.cos(angle), degrees % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for power in range(1 + odd, degrees, 2):
        total += term
        term *= cosine**2 * power / (power + 1)
    inner = math.sin(angle) * total
    return 2 / math.pi * (angle + inner) if odd else inner


def prediction_interval(values: np.ndarray, scale: str = "log") -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound for one more run: mean -+ t s sqrt(1 + 1/n) over the n worlds (first axis).

    scale: "log" for times and ratios, "log1p" for counts (bounds from 0), "share" for a share, on its own
    scale within 0..1. NaN where n < 2 and, on the log scale, where a value is not positive.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan), np.full(values.shape[1:], np.nan)
    forward, back = {"log": (np.log, np.exp), "log1p": (np.log1p, np.expm1), "share": (np.copy, np.copy)}[
        scale
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = forward(values)
        half = t_quantile((1 + COVERAGE) / 2, len(values) - 1) * scaled.std(axis=0, ddof=1)
        half = half * math.sqrt(1 + 1 / len(values))
        low, high = back(scaled.mean(axis=0) - half), back(scaled.mean(axis=0) + half)
    if scale != "log":
        low = np.maximum(low, 0.0)
    if scale == "share":
        high = np.minimum(high, 1.0)
    return low, high
