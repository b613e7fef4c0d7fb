"""What a fit may have looked at: the declared role of every published number."""

from collections.abc import Iterator

import polars as pl

from headrace.errors import HeadraceError, nearest
from headrace.scorecard.reference import KEYS

SECTIONS = ("calibrated", "input", "excluded")

Selector = dict[str, object]


def assign(published: pl.DataFrame, calibration: dict[str, list[Selector]]) -> pl.DataFrame:
    """`published` rows with columns `role` (calibrated | input | seen) and `excluded` (bool).

    `calibration` maps each of `SECTIONS` (all optional) to selectors: a column of `KEYS` to a value or a list
    of values; a row is selected when it agrees in every column named. Raises HeadraceError for an unknown
    section or column, a selector that selects no published row, and a row both calibrated and input.
    """
    chosen = {section: pl.repeat(False, published.height, eager=True) for section in SECTIONS}
    for place, section, selector in _selectors(calibration):
        rows = selected(published, place, selector)
        if not rows.any():
            raise HeadraceError(place, "selects no published number", "correct it or remove it")
        chosen[section] = chosen[section] | rows
    twice = published.filter(chosen["calibrated"] & chosen["input"])
    if not twice.is_empty():
        row = " ".join(str(value) for value in twice.row(0)[:-1] if value is not None)
        raise HeadraceError("calibration", f"{row} is both calibrated and input", "list it once")
    role = (
        pl.when(chosen["calibrated"]).then(pl.lit("calibrated")).when(chosen["input"]).then(pl.lit("input"))
    )
    return published.with_columns(role.otherwise(pl.lit("seen")).alias("role"), excluded=chosen["excluded"])


def selected(published: pl.DataFrame, place: str, selector: Selector) -> pl.Series:
    """Whether each row of `published` agrees with the selector in every column that it names.

    `place` is what an error names. Raises HeadraceError for a column that is none of `KEYS`, and for a
    value that no row has.
    """
    rows = pl.repeat(True, published.height, eager=True)
    for column, wanted in selector.items():
        if column not in KEYS:
            raise HeadraceError(f"{place}.{column}", "unknown column", nearest(str(column), KEYS))
        there = published[column].drop_nulls().unique().to_list()
        values = wanted if isinstance(wanted, list) else [wanted]
        for value in values:
            if value not in there or isinstance(value, bool) != (KEYS[column] == pl.Boolean):
                remedy = nearest(str(value), map(str, there))
                raise HeadraceError(f"{place}.{column}", f"no published number has {value!r}", remedy)
        rows = rows & pl.Series([value in values for value in published[column]])
    return rows


def _selectors(calibration: dict[str, list[Selector]]) -> Iterator[tuple[str, str, Selector]]:
    if not isinstance(calibration, dict):
        raise HeadraceError("calibration", "is no mapping", f"expected the keys {', '.join(SECTIONS)}")
    for section, selectors in calibration.items():
        if section not in SECTIONS:
            raise HeadraceError(f"calibration.{section}", "unknown key", nearest(str(section), SECTIONS))
        if not isinstance(selectors, list):
            raise HeadraceError(f"calibration.{section}", "is no list", "expected a list of selectors")
        for index, selector in enumerate(selectors):
            place = f"calibration.{section}[{index}]"
            if not isinstance(selector, dict) or not selector:
                raise HeadraceError(place, "is no selector", "expected columns and values, policy: fcfs")
            yield place, section, selector
