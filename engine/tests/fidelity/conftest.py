"""Scorecards made up row by row."""

from collections.abc import Callable

import polars as pl
import pytest

from headrace.scorecard.score import COLUMNS

MAIN = {
    "artifact": "inline",
    "hardware": "h200-tp2",
    "workload": "crawler",
    "setting": "main",
    "qps": 1.0,
    "policy": "fcfs",
    "stream": True,
    "quantity": "ttft_p50_s",
    "role": "seen",
}


@pytest.fixture
def row() -> Callable[..., dict]:
    """One row: its error and verdict follow from published, reproduced and the interval."""

    def make(published: float | None = 1.0, reproduced: float | None = 1.0, **keys: object) -> dict:
        low, high = keys.pop("interval", (None, None))
        verdict = None
        if low is not None and published is not None:
            verdict = "inside" if low <= published <= high else "outside"
        given = {"published": published, "reproduced": reproduced, "pi_low": low, "pi_high": high}
        error = (reproduced - published) / published if published and reproduced is not None else None
        made = MAIN | given | {"rel_error": error, "null_error": None, "verdict": verdict} | keys
        return {column: made[column] for column in COLUMNS}

    return make


@pytest.fixture
def card() -> Callable[..., pl.DataFrame]:
    """A scorecard of rows."""
    return lambda *rows: pl.DataFrame(list(rows), schema=COLUMNS, orient="row")
