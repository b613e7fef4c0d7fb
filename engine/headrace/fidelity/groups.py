"""Errors by workload and artifact, calibrated and seen rows apart, null baseline and floor beside."""

import polars as pl

from headrace.fidelity import floor as floors
from headrace.fidelity.rows import comparable
from headrace.scorecard.summary import FAMILIES, summarise, with_family
from headrace.tables.markdown import NONE, captioned, escape, percent, table

CAPTIONS = {
    "seen": "Seen: known while building, no fit looked at them",
    "calibrated": "Calibrated: a fit looked at them",
}
SHARES = FAMILIES[r"^swap_share$"]
HEADINGS = (
    "workload",
    "artifact",
    "quantity",
    "rows",
    "median",
    "P90",
    "null",
    "null P90",
    "floor",
    "inside",
)


def group_tables(scorecard: pl.DataFrame, floor: pl.DataFrame | None) -> list[str]:
    """Markdown: one table per role. The floor stands where it is a relative error, as ours is."""
    card = with_family(comparable(scorecard))
    groups = summarise(scorecard)
    tables = []
    for role, caption in CAPTIONS.items():
        body = [_line(group, card, floor) for group in groups.filter(role=role).iter_rows(named=True)]
        tables.append(captioned(caption, table(HEADINGS, body, labels=3) if body else ""))
    return list(filter(None, tables))


def _line(group: dict, card: pl.DataFrame, floor: pl.DataFrame | None) -> list[str]:
    kind = {column: group[column] for column in ("role", "workload", "artifact", "family")}
    rows = card.filter(**kind)
    relative = group["family"] != SHARES
    floor_spread = floors.spread(floor, rows, floors.quantile(0.5)) if relative else None
    return [
        *(group["workload"], group["artifact"], escape(group["family"]), str(group["rows"])),
        *(percent(group[name]) for name in ("median", "p90", "null_median", "null_p90")),
        percent(floor_spread.middle) if floor_spread else NONE,
        percent(group["inside"] / group["judged"]) if group["judged"] else NONE,
    ]
