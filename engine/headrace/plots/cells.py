"""TTFT of the main grid's cells, world by world, and the published points beside them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from headrace.axes import axes_of
from headrace.errors import HeadraceError
from headrace.metrics.requests import read_requests, requests_file
from headrace.plots.style import SERIES, Series
from headrace.scorecard.reference import read_reference

Key = tuple[str, float, str, bool]


@dataclass(slots=True)
class Grid:
    """TTFT (s, served requests) of one hardware's main grid: (workload, qps, policy, stream) -> worlds."""

    hardware: str
    ttft_s: dict[Key, list[np.ndarray]]
    published: pl.DataFrame

    def worlds(self, workload: str, qps: float, series: Series) -> list[np.ndarray]:
        """TTFT of each world, world 0 first; empty where the cell was not run."""
        return self.ttft_s.get((workload, qps, series.policy, series.stream), [])

    def rates(self, workload: str) -> list[float]:
        """The request rates of a workload, ascending."""
        return sorted({key[1] for key in self.ttft_s if key[0] == workload})

    def series(self) -> list[Series]:
        """The series that at least one cell has, in the order of the legend."""
        return [s for s in SERIES if any(key[2:] == (s.policy, s.stream) for key in self.ttft_s)]

    def published_s(self, workload: str, qps: float, series: Series, percentile: str) -> float | None:
        """Published TTFT (s), None where there is no such number."""
        found = self.published.filter(
            hardware=self.hardware,
            workload=workload,
            setting="main",
            qps=qps,
            policy=series.policy,
            stream=series.stream,
            quantity=f"ttft_{percentile}_s",
        )["published"]
        return None if found.is_empty() else float(found[0])

    def size(self, workload: str) -> str:
        """How much is shown of a workload: "4,322 requests, 8 worlds"."""
        worlds = max((cell for key, cell in self.ttft_s.items() if key[0] == workload), key=len)
        return f"{len(worlds[0]):,} requests, {len(worlds)} world{'s' if len(worlds) > 1 else ''}"


def main_grid(cells: Iterable[Path], reference: list[Path]) -> Grid:
    """Read the cells of the main grid (folders or their requests tables) and the published numbers.

    Cells with stretched waits are left out. Raises HeadraceError for no cell of the main grid, cells of more
    than one hardware, a world that served nothing, and every fault of a table.
    """
    files = [requests_file(Path(cell)) for cell in cells]
    axes = {file: found for file in files if (found := axes_of(file))["delay"] == 1}
    hardware = sorted({found["hardware"] for found in axes.values()})
    if len(hardware) != 1:
        named = ", ".join(hardware) or "none"
        raise HeadraceError("figure", f"cells of the main grid on {named}", "give cells of one hardware")
    ttft_s = {
        (found["workload"], found["qps"], found["policy"], found["stream"]): _worlds(file)
        for file, found in axes.items()
    }
    return Grid(hardware[0], ttft_s, read_reference(reference[0].parent))


def _worlds(file: Path) -> list[np.ndarray]:
    table = read_requests(file)
    worlds = [
        world["ttft_s"].drop_nulls().to_numpy() for world in table.partition_by("world", maintain_order=True)
    ]
    for place, world in enumerate(worlds):
        if not len(world):
            raise HeadraceError(f"{file}: world number {place}", "served no request", "raise the KV pool")
    return worlds
