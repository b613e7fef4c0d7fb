"""When chunks come and how many a query has, world by world, and the published numbers beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from headrace.errors import HeadraceError, nearest
from headrace.plots.style import WORKLOADS, WorkloadStyle
from headrace.scorecard.csv_rows import read_rows
from headrace.scorecard.reference import STATISTIC_COLUMNS, STATISTICS, UNIT_S
from headrace.workload.quantities import inter_chunk_time
from headrace.workload.table import read_table

PUBLISHED_FILE = "chunk_arrivals.csv"


@dataclass(slots=True)
class Arrivals:
    """The chunks of one workload. Worlds that are all the same, as those of traces are, count as one."""

    style: WorkloadStyle
    gaps_s: list[np.ndarray]
    """Gaps between chunks (s) of each world, world 0 first."""
    chunks: list[np.ndarray]
    """Chunks per query of each world, world 0 first."""
    published_gaps_s: dict[str, float]
    """Statistic -> s, and `count`; empty where nothing was published."""
    published_chunks: dict[str, float]

    def size(self) -> str:
        """How much is shown: "crawler: 4,322 queries with 29,656 gaps, 8 worlds"."""
        worlds = f"{len(self.gaps_s)} world{'s' * (len(self.gaps_s) > 1)}"
        return f"{self.style.label}: {_counts(len(self.chunks[0]), len(self.gaps_s[0]))}, {worlds}"

    def published_size(self) -> str:
        """How much was published: "crawler: 4,322 queries with 29,656 gaps"."""
        counts = _counts(self.published_chunks["count"], self.published_gaps_s["count"])
        return f"{self.style.label}: {counts}"

    @property
    def is_published(self) -> bool:
        """Whether there are published numbers of both gaps and chunks."""
        return bool(self.published_gaps_s and self.published_chunks)


def read_arrivals(workloads: Iterable[Path], reference: list[Path]) -> list[Arrivals]:
    """Read chunk tables, each named like its workload, and the published statistics of chunk arrivals.

    Gaps are those of `headrace.workload.statistics`: between the rows of a crawler trace, and between the
    starts of anns windows. Raises HeadraceError for no table, an unknown workload, a workload without a
    gap, and every fault of a table or of the published numbers.
    """
    tables = {path.stem: path for path in map(Path, workloads)}
    for name, path in tables.items():
        if name not in WORKLOADS:
            raise HeadraceError(path, f"no workload is called {name!r}", nearest(name, WORKLOADS))
    if not tables:
        raise HeadraceError("figure", "no workload is given", "give its chunk table")
    if not reference:
        raise HeadraceError("figure", "no published numbers are given", f"give {PUBLISHED_FILE}")
    published = _published(reference[0].parent / PUBLISHED_FILE)
    return [_of_table(tables[name], style, published) for name, style in WORKLOADS.items() if name in tables]


def about(shown: list[Arrivals]) -> list[str]:
    """Lines for the note of a figure: what is shown here, and what was published."""
    published = "; ".join(arrivals.published_size() for arrivals in shown if arrivals.is_published)
    return [
        f"Here: {'; '.join(arrivals.size() for arrivals in shown)}.",
        f"Published, from all traces: {published}." if published else "",
    ]


def _of_table(path: Path, style: WorkloadStyle, published: dict) -> Arrivals:
    table = read_table(path).with_columns(inter_chunk_time() / 1000)
    worlds = table.partition_by("world", maintain_order=True)
    gaps_s = [world["inter_chunk_time"].drop_nulls().to_numpy() for world in worlds]
    chunks = [world.filter(pl.col("final"))["chunk_index"].to_numpy() + 1 for world in worlds]
    for place, gaps in enumerate(gaps_s):
        if not len(gaps):
            problem = "no query has a second chunk, so there is no gap to draw"
            raise HeadraceError(f"{path}: world number {place}", problem, "take more queries")
    if all(
        np.array_equal(gaps_s[0], gaps) and np.array_equal(chunks[0], counts)
        for gaps, counts in zip(gaps_s, chunks, strict=True)
    ):
        gaps_s, chunks = gaps_s[:1], chunks[:1]
    name = path.stem
    return Arrivals(
        style,
        gaps_s,
        chunks,
        published.get((name, "inter_chunk_time"), {}),
        published.get((name, "chunks_per_query"), {}),
    )


def _published(file: Path) -> dict[tuple[str, str], dict[str, float]]:
    """(workload, quantity) -> statistic -> number, times in seconds, and how many there were as `count`."""
    numbers = {}
    for row in read_rows(file, STATISTIC_COLUMNS["fig8-10"], ("workload", "quantity")):
        scale = UNIT_S.get(row.known("unit", ("chunks", *UNIT_S)), 1.0)
        given = {
            statistic: row.number(column) * scale
            for column, statistic in STATISTICS.items()
            if row.fields.get(column)
        }
        numbers[row.fields["workload"], row.fields["quantity"]] = given | {"count": row.number("count")}
    return numbers


def _counts(queries: float, gaps: float) -> str:
    return f"{queries:,.0f} quer{'ies' if queries != 1 else 'y'} with {gaps:,.0f} gap{'s' * (gaps != 1)}"
