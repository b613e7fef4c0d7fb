"""Draws that meet given quantiles in every sample, not only on average."""

import functools
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from headrace.errors import HeadraceError

_quantile = NormalDist().inv_cdf


@dataclass(frozen=True, slots=True)
class QuantileFunction:
    """A distribution given by some of its quantiles, all positive.

    Between two of them the logarithm of the value is linear in the logit of the probability; below
    the lowest and above the highest it is linear in the probability, down to the minimum and up to
    the maximum. So the tail is what the highest quantiles and the maximum declare, and bounded.
    """

    probabilities: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def parse(cls, given: object, place: str) -> "QuantileFunction":
        """Build one from {"min": .., "p50": .., "p99.9": .., "max": ..}; `place` names it in errors.

        Raises HeadraceError for a key that is no percentile, a missing bound, or values that are not
        positive and increasing.
        """
        if not isinstance(given, Mapping):
            raise HeadraceError(place, f"is {given!r}", "give quantiles, such as {min: 1, p50: 4, max: 26}")
        knots = sorted((_probability(key, place), value, key) for key, value in given.items())
        for _, value, key in knots:
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < math.inf:
                raise HeadraceError(f"{place}.{key}", f"is {value!r}", "give a positive number")
        for (low, low_value, low_key), (high, high_value, high_key) in itertools.pairwise(knots):
            if low == high or low_value > high_value:
                raise HeadraceError(
                    f"{place}.{high_key}",
                    f"{high_value} does not follow {low_key}: {low_value}",
                    "quantiles must differ and not decrease",
                )
        if len(knots) < 3 or knots[0][0] != 0 or knots[-1][0] != 1:
            raise HeadraceError(
                place, f"has only {', '.join(map(str, given)) or 'nothing'}", "give min, max and a percentile"
            )
        return cls(tuple(p for p, _, _ in knots), tuple(float(value) for _, value, _ in knots))

    @property
    def minimum(self) -> float:
        return self.values[0]

    @property
    def maximum(self) -> float:
        return self.values[-1]

    def __call__(self, probability: np.ndarray) -> np.ndarray:
        """Values at `probability` (any shape, within 0..1)."""
        knots, logs = np.array(self.probabilities), np.log(self.values)
        with np.errstate(divide="ignore"):
            inner = np.interp(_logit(probability), _logit(knots[1:-1]), logs[1:-1])
        outer = np.interp(probability, knots, logs)
        inside = (probability >= knots[1]) & (probability <= knots[-2])
        return np.clip(np.exp(np.where(inside, inner, outer)), self.minimum, self.maximum)

    def draw(self, rng: np.random.Generator, n: int) -> np.ndarray:
        """n values in ascending order, one from each n-th of the distribution (stratified)."""
        return self(strata(rng, n))


def strata(rng: np.random.Generator, n: int) -> np.ndarray:
    """n probabilities in ascending order, one uniform in each interval [i/n, (i+1)/n)."""
    return (np.arange(n) + rng.random(n)) / max(n, 1)


def by_rank(scores: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """The values of `ascending`, given out so that they rank as `scores` do (ties by position)."""
    ranked = np.empty_like(ascending)
    ranked[np.argsort(scores, kind="stable")] = ascending
    return ranked


def normal_scores(values: np.ndarray) -> np.ndarray:
    """Each value's rank as a standard normal quantile: what a Gaussian copula correlates."""
    return by_rank(values, _normal_quantiles(len(values)))


def correlated_scores(rng: np.random.Generator, values: np.ndarray, correlation: float) -> np.ndarray:
    """Standard normal scores with the given correlation to the normal scores of `values`."""
    return _mixed(rng, normal_scores(values), correlation)


def correlated_with(rng: np.random.Generator, shares: np.ndarray, correlation: float) -> np.ndarray:
    """Standard normal scores with the given correlation to the normal quantiles of `shares`, in (0, 1)."""
    different, of = np.unique(shares, return_inverse=True)
    return _mixed(rng, np.array([_quantile(share) for share in different])[of], correlation)


def _mixed(rng: np.random.Generator, scores: np.ndarray, correlation: float) -> np.ndarray:
    return correlation * scores + math.sqrt(1 - correlation**2) * rng.standard_normal(len(scores))


@functools.lru_cache(maxsize=32)
def _normal_quantiles(n: int) -> np.ndarray:
    return np.array([_quantile((i + 0.5) / n) for i in range(n)])


def _logit(probability: np.ndarray) -> np.ndarray:
    return np.log(probability / (1 - probability))


def _probability(key: object, place: str) -> float:
    bound = {"min": 0.0, "max": 1.0}.get(str(key))
    if bound is not None:
        return bound
    try:
        percent = float(str(key).removeprefix("p"))
    except ValueError:
        percent = math.nan
    if not str(key).startswith("p") or not 0 < percent < 100:
        raise HeadraceError(f"{place}.{key}", "is no percentile", "use min, p5, p50, p99.9, max and the like")
    return percent / 100
