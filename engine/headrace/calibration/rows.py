"""The published numbers that a fit compares with, and the cells that it serves for them."""

import polars as pl

from headrace.axes import Axes
from headrace.errors import HeadraceError
from headrace.scorecard.reference import KEYS
from headrace.scorecard.roles import Selector, assign
from headrace.scorecard.samples import CELL, SETTING, TTFT
from headrace.study import cells

COMPARED = (*TTFT, "preemptions")
"""Speedups restate the seconds; the workload's own statistics are told to its generator."""


def calibrated_rows(published: pl.DataFrame, calibration: dict[str, list[Selector]]) -> pl.DataFrame:
    """The published rows that a fit may look at, columns KEYS and `published`, sorted by KEYS.

    Those with role `calibrated` (see scorecard.roles) of the quantities in `COMPARED`. All that a fit knows
    of the publication passes here: nothing else in this folder reads it. Raises HeadraceError where the
    calibration set has no such row, and as `assign` does.
    """
    rows = (
        assign(published, calibration)
        .filter(pl.col("quantity").is_in(COMPARED), ~pl.col("excluded"), role="calibrated")
        .select(*KEYS, "published")
        .sort(list(KEYS))
    )
    if rows.is_empty():
        raise HeadraceError("calibration.calibrated", "selects no TTFT and no count", "select rows to fit")
    return rows


def cells_of(rows: pl.DataFrame, config: dict, study: str) -> list[Axes]:
    """The simulated cells of the study's grid that `rows` are of, in the order of the grid.

    Raises HeadraceError for a row without a cell in the grid.
    """
    grid = pl.DataFrame(cells(config["studies"][study], "sim")).with_columns(SETTING)
    wanted = rows.select(CELL).unique()
    if missing := wanted.join(grid, on=CELL, how="anti").sort(list(CELL)).rows():
        name = " ".join(map(str, missing[0]))
        raise HeadraceError(f"studies.{study}.grid", f"has no cell {name} of the calibration set", "add it")
    return grid.join(wanted, on=CELL, how="semi", maintain_order="left").drop("setting").to_dicts()
