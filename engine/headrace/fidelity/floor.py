"""The floor: what a perfect model would miss, since the published numbers are one run with its own prompts.

`variants/floor.csv` holds, for every published row, the error of world 0 against further draws of the
workload, each taken as if it were the published run.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from headrace.scorecard.csv_table import read_csv_table
from headrace.scorecard.reference import KEYS

SCHEMA = KEYS | {"draw": pl.Int64, "error": pl.Float64}


@dataclass(frozen=True, slots=True)
class Spread:
    """A statistic in every draw: its median over the draws, the least and the most."""

    low: float
    middle: float
    high: float


def read(path: Path) -> pl.DataFrame:
    """The floor, columns `SCHEMA`. Raises HeadraceError when it is missing, cut short or another table."""
    return read_csv_table(path, SCHEMA, "snakemake floor").select(*SCHEMA)


def errors(floor: pl.DataFrame | None, rows: pl.DataFrame) -> pl.DataFrame:
    """Draws and finite errors of these scorecard rows; no row where there is no floor."""
    if floor is None:
        floor = pl.DataFrame(schema=SCHEMA)
    return floor.join(rows.select(*KEYS), on=list(KEYS), how="semi", nulls_equal=True).filter(
        pl.col("error").is_finite()
    )


def spread(floor: pl.DataFrame | None, rows: pl.DataFrame, statistic: pl.Expr) -> Spread | None:
    """A statistic of the column `error` over `rows`, draw by draw; None where there is no draw of them."""
    found = errors(floor, rows).group_by("draw").agg(statistic.alias("found"))["found"]
    if found.is_empty():
        return None
    return Spread(*(float(found.quantile(share, "linear")) for share in (0.0, 0.5, 1.0)))


def quantile(share: float) -> pl.Expr:
    """A quantile of |error|, for `spread`."""
    return pl.col("error").abs().quantile(share, "linear")
