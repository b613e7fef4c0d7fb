"""The scorecard: published beside reproduced, row by row."""

import csv
import io
from pathlib import Path

import numpy as np
import polars as pl

from headrace.errors import HeadraceError
from headrace.files import write_text
from headrace.metrics import read_metrics
from headrace.scorecard import samples
from headrace.scorecard.csv_table import read_csv_table
from headrace.scorecard.intervals import prediction_interval
from headrace.scorecard.null import NullBaseline
from headrace.scorecard.reference import KEYS, read_reference
from headrace.scorecard.roles import Selector, assign

VALUES = ("published", "reproduced", "pi_low", "pi_high", "rel_error", "null_error")
COLUMNS = KEYS | dict.fromkeys(VALUES, pl.Float64) | {"role": pl.String, "verdict": pl.String}
COUNTS = ("preemptions", "preemptions_recompute", "preemptions_swap")
ROUNDING = 1e-9


def write(
    metrics: Path,
    workloads: dict[str, Path],
    reference: Path,
    calibration: dict[str, list[Selector]],
    out: Path,
) -> None:
    """Score the cells in `metrics` and the chunk tables `workloads` (by name) against `reference`; write CSV.

    `calibration` declares the roles (see `roles.assign`). The CSV is byte-identical for the same input.
    Raises HeadraceError for every fault of an input and for metrics of more than one backend.
    """
    from headrace.workload import read_table, statistics

    table = read_metrics(metrics)
    backends = table["backend"].unique().sort().to_list()
    if len(backends) != 1:
        raise HeadraceError(metrics, f"has the backends {', '.join(backends)}", "score one backend at a time")
    found = [samples.of_cells(table)]
    for name, path in sorted(workloads.items()):
        found.append(samples.of_workload(name, statistics(read_table(path))))
    published = assign(read_reference(reference), calibration)
    write_text(out, to_csv(score(pl.concat(found), published)))


def score(found: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """One row (`COLUMNS`) per quantity found or published, sorted by its keys.

    found: samples (`samples.SCHEMA`); published: rows with role and excluded (`roles.assign`). A published
    number without a sample has the verdict `missing`; one found and not published is `held_out`.
    """
    reproduced = _reproduced(found)
    whole = published.join(reproduced, on=list(KEYS), how="full", nulls_equal=True, coalesce=True)
    null = NullBaseline(published)
    rows = [_scored(row, null) for row in whole.sort(list(KEYS), nulls_last=True).iter_rows(named=True)]
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def to_csv(scorecard: pl.DataFrame) -> str:
    """Rows as text: six significant digits, empty for none, true and false in small letters."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(scorecard.columns)
    for row in scorecard.iter_rows(named=True):
        writer.writerow(_field(column, row[column]) for column in scorecard.columns)
    return text.getvalue()


def read(path: Path) -> pl.DataFrame:
    """A scorecard that `write` wrote. Raises HeadraceError when it is missing, cut short or another table."""
    table = read_csv_table(path, COLUMNS, "snakemake scorecard")
    if table.columns != list(COLUMNS):
        wrong = sorted(set(COLUMNS) ^ set(table.columns)) or ["their order"]
        raise HeadraceError(path, f"wrong columns ({wrong[0]})", f"expected {', '.join(COLUMNS)}")
    if table["role"].has_nulls():
        line = table["role"].is_null().arg_max() + 2
        raise HeadraceError(f"{path}: line {line}", "has no role", "make the scorecard again")
    return table


def _reproduced(found: pl.DataFrame) -> pl.DataFrame:
    """Per key: `reproduced` (world 0 where it replays the published trace, else the median), interval."""
    rows = []
    for key, group in found.sort("world").group_by(list(KEYS), maintain_order=True):
        values = group["value"].to_numpy()
        replayed = group["published_arrivals"][0] and group["world"][0] == 0
        value = values[0] if replayed else np.median(values)
        low, high = prediction_interval(values, _scale(key[-1]))
        rows.append((*key, float(value), float(low), float(high)))
    schema = KEYS | dict.fromkeys(("reproduced", "pi_low", "pi_high"), pl.Float64)
    bounds = pl.col("pi_low", "pi_high").fill_nan(None)
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(bounds)


def _scale(quantity: str) -> str:
    return "log1p" if quantity in COUNTS else "share" if quantity == "swap_share" else "log"


def _scored(row: dict, null: NullBaseline) -> dict:
    published, reproduced = row["published"], row["reproduced"]
    row["role"] = row["role"] or "held_out"
    row["rel_error"] = row["null_error"] = None
    if published:
        if reproduced is not None:
            row["rel_error"] = (reproduced - published) / published
        guess = null.value(row) if row["role"] in ("calibrated", "seen") else None
        if guess is not None:
            row["null_error"] = (guess - published) / published
    row["verdict"] = _verdict(row)
    return {column: row[column] for column in COLUMNS}


def _verdict(row: dict) -> str | None:
    if row["published"] is None:
        return None
    if row["reproduced"] is None:
        return "missing"
    if row["excluded"]:
        return "excluded"
    if row["role"] == "input" or row["pi_low"] is None:
        return None
    low, high = row["pi_low"] * (1 - ROUNDING) - ROUNDING, row["pi_high"] * (1 + ROUNDING) + ROUNDING
    return "inside" if low <= row["published"] <= high else "outside"


def _field(column: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if column == "qps":
        return str(value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)
