"""What a fit minimises: how far reproduced numbers are from published ones, and values from their start."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

COUNTS = ("preemptions",)


@dataclass(frozen=True, slots=True)
class Objective:
    """misfit = sum over rows of weight x pseudo-Huber(e); loss = misfit + prior x squared distance.

    e = log(ours / published); of counts, which may be 0, e = log((1 + ours) / (1 + published)).
    pseudo-Huber(e) = 2 h^2 (sqrt(1 + (e / h)^2) - 1): e^2 where |e| is far below h = `huber`, 2 h |e| far
    above, so that a row which no parameter can mend does not bend all others. The distance is that of
    `parameters.distance`.
    """

    quantities: Sequence[str]
    """Of the rows, in their order."""
    published: Sequence[float]
    huber: float
    prior: float
    weights: Sequence[float]
    """Of the rows, in their order: see `weight_by_luck`."""

    @property
    def every(self) -> tuple[int, ...]:
        """The places of all rows."""
        return tuple(range(len(self.published)))

    def of(self, rows: Sequence[int]) -> "Objective":
        """The same for these rows only, by their place."""
        quantities, published, weights = (
            [column[row] for row in rows] for column in (self.quantities, self.published, self.weights)
        )
        return replace(self, quantities=quantities, published=published, weights=weights)

    def misfit(self, reproduced: Sequence[float]) -> float:
        """Of the values of all rows, in their order; each is positive, or a count."""
        rows = zip(self.weights, self.quantities, self.published, reproduced, strict=True)
        return math.fsum(
            weight * self._penalty(log_error(quantity, ours, published))
            for weight, quantity, published, ours in rows
        )

    def _penalty(self, error: float) -> float:
        return 2 * self.huber**2 * (math.sqrt(1 + (error / self.huber) ** 2) - 1)


def weight_by_luck(spread: float, tolerance: float) -> float:
    """Weight of a row whose logarithm has the standard deviation `spread` over draws of the workload.

    A published number is one run, and as lucky: the variance of e is at least spread^2, and tolerance^2 for
    what the model leaves out. 1 for a row without spread, 1/2 where it is the tolerance.
    """
    return 1 / (1 + (spread / tolerance) ** 2)


def log_error(quantity: str, ours: float, published: float) -> float:
    """e of one row."""
    plus = 1.0 if quantity in COUNTS else 0.0
    return math.log((ours + plus) / (published + plus))
