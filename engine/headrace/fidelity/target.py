"""One target and the ways to compute its value: a quantile of errors, or a share of rows that are right."""

import math
from dataclasses import dataclass

import polars as pl

from headrace.fidelity import floor as floors
from headrace.fidelity.floor import Spread
from headrace.fidelity.rows import described

ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Target:
    """One line of the table of targets.

    `value` is a fraction: an error, a ratio, or the share of `rows` that are right (then `right` says how
    many); `null` and `floor` are the same of the null baseline and of a perfect model. `bound` is None for a
    line that is shown for comparison and is no target. `misses` names the rows that are wrong.
    """

    name: str
    workload: str
    value: float | None
    bound: float | None
    how: str
    at_least: bool = False
    rows: int = 0
    right: int | None = None
    null: float | None = None
    floor: Spread | None = None
    misses: tuple[str, ...] = ()

    @property
    def met(self) -> bool | None:
        """None for what is no target, and where there is nothing to compute it from."""
        if self.value is None or self.bound is None:
            return None
        if self.at_least:
            return self.value >= self.bound - ROUNDING
        return self.value <= self.bound + ROUNDING

    @property
    def status(self) -> str:
        """met, missed, not computed, or for comparison."""
        if self.bound is None:
            return "for comparison"
        return {True: "met", False: "missed", None: "not computed"}[self.met]


def within(rows: pl.DataFrame, bound: float, floor: pl.DataFrame | None, **line: str) -> Target:
    """A target that all of `rows` have an absolute relative error of at most `bound`."""
    right = pl.col("rel_error").abs() <= bound + ROUNDING
    reached = floors.spread(floor, rows, (pl.col("error").abs() <= bound).mean())
    return share_right(rows, right, bound=1.0, floor=reached, **line)


def share_right(
    rows: pl.DataFrame, right: pl.Expr, bound: float | None, listed: bool = True, **line: object
) -> Target:
    """A target on the share of `rows` for which the expression `right` holds; the wrong ones are `listed`."""
    found = rows.with_columns(right=right.fill_null(False))
    wrong = found.filter(~pl.col("right"))
    return Target(
        value=1 - wrong.height / found.height if found.height else None,
        bound=bound,
        at_least=True,
        rows=found.height,
        right=found.height - wrong.height,
        misses=tuple(map(described, wrong.iter_rows(named=True))) if listed else (),
        **line,
    )


def quantile_of(values: pl.Series, quantile: float) -> float | None:
    """A quantile of absolute values, linear between them; None for no value."""
    value = values.abs().quantile(quantile, "linear")
    return None if value is None or math.isnan(value) else float(value)
