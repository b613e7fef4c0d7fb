"""The stages of a fit: which parameters are moved in which order, and for which rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from headrace.calibration.parameters import Parameter, named
from headrace.errors import HeadraceError
from headrace.scorecard.roles import selected

Rows = tuple[int, ...]
"""Some of the calibrated rows, by their place among all."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One search of a fit: some parameters are moved for some rows, all others stay."""

    of: str
    """What it is about, in a phrase."""
    parameters: tuple[Parameter, ...]
    """Two or more."""
    rows: Rows
    evaluations: int
    """Points that its search may ask for; whole generations of them are."""
    step: float
    """Standard deviation of the first generation, in shares of a parameter's range."""


def stages_of(fit: Mapping, parameters: Sequence[Parameter], rows: pl.DataFrame, place: str) -> list[Stage]:
    """The stages of a checked `fit` section, in its order.

    rows: all calibrated rows; `place` is the section, for errors. Raises HeadraceError for a selection that
    none of them agrees with.
    """
    return [
        Stage(
            keys["of"],
            tuple(one for one in parameters if named(one.path, keys["parameters"])),
            _rows(keys.get("rows"), rows, f"{place}.stages[{index}].rows"),
            keys["evaluations"],
            keys["step"],
        )
        for index, keys in enumerate(fit["stages"])
    ]


def _rows(selector: Mapping | None, rows: pl.DataFrame, place: str) -> Rows:
    if selector is None:
        return tuple(range(rows.height))
    found = selected(rows, place, dict(selector)).arg_true().to_list()
    if not found:
        raise HeadraceError(place, "selects no calibrated row", "correct it, or leave it out for all rows")
    return tuple(found)
