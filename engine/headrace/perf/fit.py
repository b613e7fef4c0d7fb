"""Polynomial least squares, the same to the last bit on every machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import fsum

from headrace.errors import HeadraceError

GOOD_R2 = 0.9
"""Below it the published cost model warns that a fit is poor."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Seconds against tokens: c0 + c1 n + c2 n^2 + ...

    `coefficients` are in s, s/token, s/token^2; `r2` is the coefficient of determination over the points
    that were fitted.
    """

    coefficients: tuple[float, ...]
    r2: float

    def __call__(self, tokens: float) -> float:
        """Seconds at `tokens`. A fit may be negative where the points were small; it is not clamped."""
        seconds = 0.0
        for coefficient in reversed(self.coefficients):
            seconds = seconds * tokens + coefficient
        return seconds


def polynomial_fit(tokens: Sequence[int], seconds: Sequence[float], degree: int = 2) -> Fit:
    """Least-squares polynomial through (tokens, seconds), every point with the same weight.

    The normal equations are solved in exact rationals and rounded once at the end: no library's rounding
    gets into a result, and token counts from 16 to 131,072 need no scaling. Raises HeadraceError when
    there are fewer than `degree + 1` different token counts.
    """
    if len(set(tokens)) <= degree:
        raise HeadraceError(
            "polynomial fit",
            f"{len(set(tokens))} different token counts are too few for degree {degree}",
            f"measure at least {degree + 1}",
        )
    counts, values = [Fraction(n) for n in tokens], [Fraction(s) for s in seconds]
    powers = [sum(n**power for n in counts) for power in range(2 * degree + 1)]
    matrix = [
        [powers[row + column] for column in range(degree + 1)]
        + [sum(n**row * s for n, s in zip(counts, values, strict=True))]
        for row in range(degree + 1)
    ]
    coefficients = tuple(float(value) for value in _solve(matrix))
    fitted = Fit(coefficients, 1.0)
    return Fit(coefficients, r_squared(seconds, [fitted(n) for n in tokens]))


def r_squared(measured: Sequence[float], fitted: Sequence[float]) -> float:
    """1 - residual / total sum of squares; 1.0 for points that are all equal and met."""
    mean = fsum(measured) / len(measured)
    residual = fsum((a - b) ** 2 for a, b in zip(measured, fitted, strict=True))
    total = fsum((a - mean) ** 2 for a in measured)
    if total == 0:
        return 1.0 if residual <= 1e-18 * mean**2 else 0.0
    return 1.0 - residual / total


def mean(repeats: Sequence[float]) -> float:
    """Arithmetic mean of the repeats of one measurement."""
    return fsum(repeats) / len(repeats)


def _solve(matrix: list[list[Fraction]]) -> list[Fraction]:
    """Gauss-Jordan on an augmented matrix that is symmetric positive definite: no pivot is 0."""
    for pivot, row in enumerate(matrix):
        row[:] = [value / row[pivot] for value in row]
        for other in matrix:
            if other is not row:
                factor = other[pivot]
                other[:] = [a - factor * b for a, b in zip(other, row, strict=True)]
    return [row[-1] for row in matrix]
