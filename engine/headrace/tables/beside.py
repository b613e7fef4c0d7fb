"""Ours above published: two lines per run, one column per quantity."""

import math
from collections.abc import Callable

import polars as pl

from headrace.scorecard.score import COUNTS
from headrace.tables.markdown import NONE, count, escape, number, percent, signed_percent, table

OVERLOAD = "†"
ROLE_MARKS = {"calibrated": "‡", "input": "§"}
EXCLUDED = "¶"
FIXED_SPACE = "\u00a0"
ABOVE, BELOW = "↑", "↓"


def beside(rows: pl.DataFrame, labels: dict[str, str], quantities: dict[str, str], ours: str) -> str:
    """A Markdown table of scored rows; empty for no row of these quantities.

    labels: heading -> column that tells runs apart, in the order in which they are sorted; quantities:
    heading -> quantity. `ours` heads the lines with our value and interval; the published line, with our
    relative error, is left out where nothing was published.
    """
    shown = rows.filter(pl.col("quantity").is_in(list(quantities.values())))
    if shown.is_empty():
        return ""
    lines = []
    for run, of_run in shown.partition_by(list(labels.values()), as_dict=True).items():
        lines.append((run, {row["quantity"]: row for row in of_run.iter_rows(named=True)}))
    lines.sort(key=lambda line: line[0])
    body = []
    for run, found in lines:
        names = [escape(f"{value:g}" if isinstance(value, float) else value) for value in run]
        if any(row.get("overload") for row in found.values()):
            names[-1] += f" {OVERLOAD}"
        body.append([*names, ours, *_cells(found, quantities, _ours)])
        if any(row["published"] is not None for row in found.values()):
            body.append([*("" for _ in names), "published", *_cells(found, quantities, _published)])
    return table([*labels, "", *quantities], body, labels=len(labels) + 1)


def marks_in(rows: pl.DataFrame) -> dict[str, str]:
    """What the marks in a table of `rows` mean, those that it needs only."""
    there = rows.filter(pl.col("published").is_not_null())
    verdicts, roles = set(there["verdict"]), set(there["role"])
    found = {}
    if "outside" in verdicts:
        found[f"{ABOVE} {BELOW}"] = "the published number lies above or below our interval."
    if "overload" in rows.columns and rows["overload"].any():
        found[OVERLOAD] = (
            "overload. In more than half of the worlds the offered load (busy seconds over the span of the"
            " arrivals) is above 1, or ever more requests wait while queries still arrive; how slow it gets"
            " depends on how long that lasts. A speedup is marked if its own run or its baseline is."
        )
    if "calibrated" in roles:
        found[ROLE_MARKS["calibrated"]] = (
            "calibrated. A fit may look at this number, so agreement proves little."
        )
    if "input" in roles:
        found[ROLE_MARKS["input"]] = (
            "input. A generator was told it, or it follows from the settings; nothing is predicted."
        )
    if "excluded" in verdicts:
        found[EXCLUDED] = "excluded from verdicts and summaries; the reason stands in the calibration file."
    if "missing" in verdicts:
        missing = sum(verdict == "missing" for verdict in there["verdict"])
        found[NONE] = (
            f"no such run, or nothing to count in it: {missing} of {there.height} published numbers."
        )
    return found


def _cells(found: dict[str, dict], quantities: dict[str, str], text: Callable[[dict], str]) -> list[str]:
    return [text(found[name]) if name in found else NONE for name in quantities.values()]


def _ours(row: dict) -> str:
    show = _format(row["quantity"])
    if row["pi_low"] is None or math.isclose(row["pi_low"], row["pi_high"]):
        return show(row["reproduced"])
    return f"{show(row['reproduced'])}{FIXED_SPACE}[{show(row['pi_low'])}..{show(row['pi_high'])}]"


def _published(row: dict) -> str:
    if row["published"] is None:
        return NONE
    text = _format(row["quantity"])(row["published"])
    if row["rel_error"] is not None:
        text += f"{FIXED_SPACE}({signed_percent(row['rel_error'])})"
    marks = ROLE_MARKS.get(row["role"], "")
    if row["verdict"] == "excluded":
        marks += EXCLUDED
    elif row["verdict"] == "outside":
        marks += ABOVE if row["published"] > row["pi_high"] else BELOW
    return f"{text}{FIXED_SPACE}{marks}" if marks else text


def _format(quantity: str) -> Callable[[float | None], str]:
    if quantity in COUNTS:
        return count
    return percent if quantity == "swap_share" else number
