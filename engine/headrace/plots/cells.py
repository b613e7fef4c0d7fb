"""Cells of the main grid as figures draw them, world by world, and the published numbers beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from headrace.axes import Axes, axes_of
from headrace.errors import HeadraceError
from headrace.metrics.latency import duration_s
from headrace.metrics.overload import offered_loads, overloaded_cell
from headrace.metrics.requests import read_requests, requests_file
from headrace.plots.style import Series, series_of
from headrace.scorecard.reference import read_reference

Key = tuple[str, float, str, bool]
REMEDY = "simulate the study's cells; of run logs, runs.csv says which are there"


@dataclass(slots=True)
class Cell:
    """What figures draw of one cell: one value or one array of served requests per world, world 0 first."""

    ttft_s: list[np.ndarray]
    completion_s: np.ndarray
    invalidated_tokens: list[np.ndarray] | None
    """None where a run log does not say."""
    overload: bool

    @property
    def worlds(self) -> int:
        return len(self.ttft_s)


@dataclass(slots=True)
class Grid:
    """One hardware's main grid on one backend: (workload, qps, policy, stream) -> cell."""

    backend: str
    hardware: str
    cells: dict[Key, Cell]
    published: pl.DataFrame

    def cell(self, workload: str, qps: float, series: Series) -> Cell | None:
        """None where the cell is not there."""
        return self.cells.get((workload, qps, series.policy, series.stream))

    def rates(self, workload: str) -> list[float]:
        """The request rates of a workload, ascending."""
        return sorted({key[1] for key in self.cells if key[0] == workload})

    def series(self, *, streaming_only: bool = False) -> list[Series]:
        """The series that at least one cell has, in the order of the legend."""
        found = series_of({key[2:] for key in self.cells})
        return [series for series in found if series.stream or not streaming_only]

    def published_value(self, workload: str, qps: float, series: Series, quantity: str) -> float | None:
        """The published number of a cell, None where there is none."""
        found = self.published.filter(
            hardware=self.hardware,
            workload=workload,
            setting="main",
            qps=qps,
            policy=series.policy,
            stream=series.stream,
            quantity=quantity,
        )["published"]
        return None if found.is_empty() else float(found[0])

    def size(self, workload: str) -> str:
        """How much is shown of a workload: "crawler: 4,322 requests, 8 worlds"."""
        cells = [cell for key, cell in self.cells.items() if key[0] == workload]
        fewest, most = (f"{bound(len(cell.ttft_s[0]) for cell in cells):,}" for bound in (min, max))
        requests = most if fewest == most else f"{fewest} to {most}"
        worlds = cells[0].worlds
        each = "run" if self.backend == "published" else "world"
        return f"{workload}: {requests} requests, {worlds} {each}{'s' if worlds > 1 else ''}"

    def overloaded(self, series: Iterable[Series], workloads: Iterable[str]) -> list[str]:
        """The overloaded cells among these: "anns at 2 QPS, fcfs"."""
        return [
            f"{workload} at {qps:g} QPS, {one.label}"
            for workload in workloads
            for qps in self.rates(workload)
            for one in series
            if (cell := self.cell(workload, qps, one)) and cell.overload
        ]


def main_grid(cells: Iterable[Path], reference: list[Path], place: str = "figure") -> Grid:
    """Read the cells of the main grid (folders or their requests tables) and the published numbers.

    Cells with stretched waits are left out. Raises HeadraceError for no cell of the main grid, cells of more
    than one hardware or backend, two tables of one cell (of two eviction rules), cells of a workload with
    different worlds, a world that served nothing, and every fault of a table; `place` names the figure there.
    """
    if not reference:
        raise HeadraceError(place, "no published numbers are given", "name the files of data/reference")
    published = read_reference(reference[0].parent)
    files = [requests_file(Path(cell)) for cell in cells]
    axes = {file: found for file in files if (found := axes_of(file))["delay"] == 1}
    if not axes:
        raise HeadraceError(place, "no cell of the main grid is there", REMEDY)
    backend, hardware = (_only(axes, name, place) for name in ("backend", "hardware"))
    read: dict[Key, Cell] = {}
    worlds: dict[str, int] = {}
    for file, found in axes.items():
        key = found["workload"], found["qps"], found["policy"], found["stream"]
        if key in read:
            raise HeadraceError(file, "another table is of the same cell", "give one of them")
        cell = read[key] = _cell(file)
        expected = worlds.setdefault(found["workload"], cell.worlds)
        if cell.worlds != expected:
            problem = f"has {cell.worlds} worlds, another cell of {found['workload']} has {expected}"
            raise HeadraceError(file, problem, "run the cells again")
    return Grid(backend, hardware, read, published)


def _only(axes: dict[Path, Axes], name: str, place: str) -> str:
    values = sorted({found[name] for found in axes.values()})
    if len(values) > 1:
        problem = f"cells of the main grid on more than one {name}: {', '.join(values)}"
        raise HeadraceError(place, problem, f"give cells of one {name}")
    return values[0]


def _cell(file: Path) -> Cell:
    table = read_requests(file)
    overload = overloaded_cell(table, offered_loads(file))
    served = table.filter(pl.col("first_token_s").is_not_null())
    worlds = served.partition_by("world", as_dict=True, maintain_order=True)
    for world in table["world"].unique().sort():
        if (world,) not in worlds:
            raise HeadraceError(f"{file}: world number {world}", "served no request", "raise the KV pool")
    known = served["invalidated_tokens"].null_count() == 0
    return Cell(
        ttft_s=[world["ttft_s"].to_numpy() for world in worlds.values()],
        completion_s=np.array([duration_s(world) for world in worlds.values()]),
        invalidated_tokens=(
            [world["invalidated_tokens"].to_numpy() for world in worlds.values()] if known else None
        ),
        overload=overload,
    )
