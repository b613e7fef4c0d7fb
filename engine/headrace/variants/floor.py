"""What a perfect model would show: the study's own engine, once more, with other prompts.

A published number is one run with the prompts of that run. Here further draws of a workload, all with the
published arrivals, are each taken as if they were the published run, and world 0 is scored against them. The
errors are those of a model that is right in everything but the draw.
"""

import csv
import io
from pathlib import Path

import polars as pl

from headrace.axes import TYPES, Axes
from headrace.errors import HeadraceError
from headrace.files import write_parquet, write_text
from headrace.metrics import read_metrics
from headrace.scorecard.reference import KEYS
from headrace.scorecard.samples import of_cells
from headrace.trial import Trial
from headrace.workload.progress import progress_bar

COLUMNS = (*KEYS, "draw", "error")
SHARES = ("swap_share",)


def write_draws(
    config: dict, study: str, cells: list[Axes], draws: int, out: Path, progress: bool = True
) -> None:
    """Serve `cells` in worlds 0..draws, all with the published arrivals; write their metrics to `out`.

    The table is that of metrics.parquet. Raises HeadraceError for no cell, and as `Trial` does.
    """
    if not cells:
        raise HeadraceError(out, "there is no cell to draw anew", "name at least one")
    trial, tables = Trial(config, study), []
    names = sorted({str(cell["workload"]) for cell in cells})
    with progress_bar(f"draws: {', '.join(names)}", len(cells), progress) as advance:
        for cell in cells:
            tables.append(trial.metrics(cell, range(draws + 1)))
            advance()
    write_parquet(out, pl.concat(tables).sort([*TYPES, "world", "quantity"]))


def write_floor(draws: list[Path], out: Path) -> None:
    """Score world 0 against every draw in the tables `draws` (of `write_draws`); write CSV (`COLUMNS`).

    Raises HeadraceError for a fault of a table, and for one without world 0 or without a draw.
    """
    tables = [floor(read_metrics(file), file) for file in draws]
    if not tables:
        raise HeadraceError(out, "there is no draw", "generate a workload: source synthetic")
    write_text(out, _csv(pl.concat(tables).sort([*KEYS, "draw"], nulls_last=True)))


def floor(metrics: pl.DataFrame, place: object = "draws") -> pl.DataFrame:
    """Errors of world 0 against each draw, in the rows of the scorecard: `KEYS`, draw, error.

    error = value of world 0 / value of the draw - 1; of a share, their difference. A row that one of the
    two does not have, and one where a draw has 0 and world 0 does not, is left out.
    """
    worlds = set(metrics["world"])
    if not {0} < worlds:
        raise HeadraceError(place, f"has the worlds {sorted(worlds)}", "world 0 and a draw are needed")
    found = of_cells(metrics).select(*KEYS, "world", "value")
    ours = found.filter(world=0).select(*KEYS, ours="value")
    draw = pl.col("value")
    error = (
        pl.when(pl.col("quantity").is_in(SHARES))
        .then(pl.col("ours") - draw)
        .when(pl.col("ours") == draw)
        .then(0.0)
        .otherwise(pl.col("ours") / draw - 1)
    )
    return (
        found.filter(pl.col("world") > 0)
        .join(ours, on=list(KEYS), nulls_equal=True)
        .select(*KEYS, draw="world", error=error)
        .filter(pl.col("error").is_finite())
    )


def _csv(rows: pl.DataFrame) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows.select(COLUMNS).iter_rows(named=True):
        stream = str(row["stream"]).lower()
        writer.writerow([*({**row, "stream": stream, "error": f"{row['error']:.6g}"}).values()])
    return text.getvalue()
