"""All cells of a study into one metrics table."""

from collections.abc import Iterable
from pathlib import Path

import polars as pl
from rich.console import Console
from rich.progress import track

from headrace.axes import TYPES, axes_of
from headrace.errors import HeadraceError
from headrace.files import write_parquet
from headrace.metrics.cell import SCHEMA, cell_metrics
from headrace.metrics.concurrency import logged_at_preemption
from headrace.metrics.overload import offered_loads
from headrace.metrics.requests import read_requests, requests_file


def collect(cells: Iterable[Path], out: Path, progress: bool = False) -> None:
    """Write the metrics of all `cells` to `out`. Raises HeadraceError as `metrics_of` does."""
    write_parquet(out, metrics_of(cells, out, progress))


def metrics_of(cells: Iterable[Path], place: object, progress: bool = False) -> pl.DataFrame:
    """The metrics of all `cells` (folders, or their requests tables), sorted by axes (schema `SCHEMA`).

    Raises HeadraceError for no cell at all (naming `place`), a cell named twice, and every fault of a
    requests table.
    """
    files = sorted({requests_file(Path(cell)) for cell in cells})
    if not files:
        raise HeadraceError(place, "there is no cell to take metrics of", "name at least one cell")
    axes = {file: axes_of(file) for file in files}
    if len({tuple(found.values()) for found in axes.values()}) < len(files):
        raise HeadraceError(place, "two tables are of the same cell", "name each cell once")
    steps = track(files, "metrics", console=Console(stderr=True), disable=not progress, transient=True)
    tables = [
        cell_metrics(read_requests(file), axes[file], offered_loads(file), logged_at_preemption(file))
        for file in steps
    ]
    return pl.concat(tables).sort([*TYPES, "world", "quantity"])


def read_metrics(path: Path) -> pl.DataFrame:
    """The table that `collect` wrote. Raises HeadraceError when it is missing, cut short or another."""
    try:
        table = pl.read_parquet(path)
    except FileNotFoundError:
        raise HeadraceError(path, "no such file", "collect the metrics of the cells first") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        cause = str(error).splitlines()[0]
        raise HeadraceError(
            path, f"not a whole Parquet file ({cause})", "collect the metrics again"
        ) from error
    if dict(table.schema) != SCHEMA:
        wrong = sorted(set(SCHEMA.items()) ^ set(table.schema.items()), key=str)[0][0]
        raise HeadraceError(
            path, f"column {wrong!r} is missing, unknown or mistyped", "collect the metrics again"
        )
    return table
