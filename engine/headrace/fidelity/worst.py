"""The worst rows of a scorecard, each with the explanation that the configuration gives it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from headrace.errors import HeadraceError, nearest
from headrace.fidelity.rows import counted
from headrace.scorecard.reference import KEYS
from headrace.scorecard.roles import selected
from headrace.scorecard.summary import worst

COUNT = 10
FIELDS = ("select", "why")
UNEXPLAINED = "not explained"


@dataclass(frozen=True, slots=True)
class Explained:
    """A row of the scorecard and why it is off; `why` is None where nothing says so."""

    row: dict
    why: str | None


def worst_rows(
    scorecard: pl.DataFrame, explanations: Sequence[Mapping], workload: str, count: int = COUNT
) -> list[Explained]:
    """The `count` seen rows of `workload` with the largest absolute relative errors, largest first.

    A number that restates another is left out: speedups, and recomputed preemptions where eviction is by
    recomputation alone. Each row has the first explanation that selects it (`check` says what one is).
    """
    restated = (pl.col("quantity") == "preemptions_recompute") & pl.col("setting").str.ends_with("_recompute")
    rows = worst(counted(scorecard).filter(~restated), workload, count)
    chosen: list[str | None] = [None] * rows.height
    for explanation in reversed(explanations):
        hits = pl.repeat(True, rows.height, eager=True)
        for column, wanted in explanation["select"].items():
            values = wanted if isinstance(wanted, list) else [wanted]
            hits = hits & pl.Series([value in values for value in rows[column]], dtype=pl.Boolean)
        for place in hits.arg_true():
            chosen[place] = explanation["why"]
    return [Explained(row, why) for row, why in zip(rows.iter_rows(named=True), chosen, strict=True)]


def check(explanations: Sequence[Mapping], published: pl.DataFrame) -> None:
    """Raise HeadraceError for an explanation without a text, or one that selects no published number.

    An explanation has the keys `select` (columns of the scorecard to a value or a list of values) and `why`.
    """
    for index, explanation in enumerate(explanations):
        place = f"explanations.rows[{index}]"
        for key in explanation:
            if key not in FIELDS:
                raise HeadraceError(f"{place}.{key}", "unknown key", nearest(str(key), FIELDS))
        if not isinstance(explanation.get("why"), str) or not explanation["why"].strip():
            raise HeadraceError(f"{place}.why", "is no text", "say in a sentence why the rows are off")
        if not isinstance(explanation.get("select"), dict) or not explanation["select"]:
            remedy = f"expected columns and values, of {', '.join(KEYS)}"
            raise HeadraceError(f"{place}.select", "is no selector", remedy)
        if not selected(published, f"{place}.select", explanation["select"]).any():
            raise HeadraceError(f"{place}.select", "selects no published number", "correct it or remove it")
