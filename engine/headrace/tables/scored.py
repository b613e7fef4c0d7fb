"""The scorecard's rows of the cells or workloads that a table shows."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from headrace.axes import TYPES
from headrace.errors import HeadraceError
from headrace.metrics.collect import metrics_of
from headrace.metrics.overload import overloaded_cells
from headrace.scorecard import samples
from headrace.scorecard.reference import BASELINES, read_reference
from headrace.scorecard.roles import Selector, assign
from headrace.scorecard.score import score

Calibration = dict[str, list[Selector]]


@dataclass(slots=True)
class Scored:
    """Rows of one artifact (the scorecard's columns; of cells with `overload`), and how much is behind them.

    `sizes` says it per workload: "crawler: 4,322 requests in each of 8 worlds".
    """

    artifact: str
    rows: pl.DataFrame
    backend: str
    sizes: list[str]


def score_cells(
    cells: Iterable[Path], reference: list[Path], calibration: Calibration, artifact: str
) -> Scored:
    """Score the cells (folders or requests tables) of one backend; rows of `artifact` only.

    They are the scorecard's own, row for row. `overload` is that of a row's cell and, for a speedup, of its
    baseline; null for a cell that was not run. Raises HeadraceError for no cell, more than one backend, and
    every fault of an input.
    """
    place = f"table of {artifact}"
    metrics = metrics_of(cells, place)
    backends = metrics["backend"].unique().sort().to_list()
    if len(backends) != 1:
        raise HeadraceError(place, f"has the backends {', '.join(backends)}", "give cells of one backend")
    rows = score(samples.of_cells(metrics), published(reference, calibration)).filter(artifact=artifact)
    return Scored(artifact, _with_overload(rows, metrics), backends[0], _sizes(metrics))


def score_workloads(
    statistics: dict[str, pl.DataFrame], reference: list[Path], calibration: Calibration, artifact: str
) -> Scored:
    """Score workload statistics (`headrace.workload.statistics`) by workload; rows of `artifact` only.

    Raises HeadraceError for no workload and every fault of an input.
    """
    if not statistics:
        raise HeadraceError(f"table of {artifact}", "there is no workload", "name at least one")
    found = pl.concat([samples.of_workload(name, table) for name, table in sorted(statistics.items())])
    rows = score(found, published(reference, calibration)).filter(artifact=artifact)
    sizes = [
        _size(name, "queries", table.filter(quantity="total_tokens_per_query")["n"])
        for name, table in sorted(statistics.items(), reverse=True)
    ]
    return Scored(artifact, rows, "sim", sizes)


def published(reference: list[Path], calibration: Calibration) -> pl.DataFrame:
    """The published numbers with their roles; `reference` are the files of one folder."""
    if not reference:
        raise HeadraceError("reference", "no file of published numbers", "name those of data/reference")
    return assign(read_reference(reference[0].parent), calibration)


def _with_overload(rows: pl.DataFrame, metrics: pl.DataFrame) -> pl.DataFrame:
    marked = overloaded_cells(metrics).with_columns(samples.SETTING).select(*samples.CELL, "overload")
    baseline = marked.filter(policy="default_vllm").drop("policy")
    streaming = pl.lit(None, pl.Boolean)
    for is_streaming, prefix in BASELINES.values():
        is_over = pl.col("quantity").str.starts_with(f"{prefix}_")
        streaming = pl.when(is_over).then(pl.lit(is_streaming)).otherwise(streaming)
    on = [column for column in samples.CELL if column not in ("policy", "stream")]
    return (
        rows.with_columns(baseline_stream=streaming)
        .join(marked, on=samples.CELL, how="left", maintain_order="left")
        .join(
            baseline.rename({"stream": "baseline_stream", "overload": "baseline"}),
            on=[*on, "baseline_stream"],
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.when(pl.col("overload").is_not_null())
            .then(pl.col("overload") | pl.col("baseline").fill_null(False))
            .alias("overload")
        )
        .drop("baseline", "baseline_stream")
    )


def _sizes(metrics: pl.DataFrame) -> list[str]:
    """Of each workload's cell with the most worlds."""
    cells = metrics.filter(quantity="requests").partition_by(list(TYPES), maintain_order=True)
    largest: dict[str, pl.DataFrame] = {}
    for cell in sorted(cells, key=len):
        largest[cell["workload"][0]] = cell
    return [
        _size(workload, "requests", largest[workload]["value"]) for workload in sorted(largest, reverse=True)
    ]


def _size(workload: str, what: str, per_world: pl.Series) -> str:
    low, high = int(per_world.min()), int(per_world.max())
    size = f"{low:,}" if low == high else f"{low:,} to {high:,}"
    worlds = f" in each of {len(per_world)} worlds" if len(per_world) > 1 else ""
    return f"{workload}: {size} {what}{worlds}"
