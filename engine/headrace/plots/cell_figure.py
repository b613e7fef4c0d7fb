"""A figure of cells: its panels, and what its legend and its note say of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from headrace.errors import HeadraceError
from headrace.plots.cells import REMEDY, Grid, main_grid
from headrace.plots.style import Series, drawing, legend, note, save, series_of

Rates = dict[str, list[float]]
Panels = Callable[[FigureBase, Grid, Rates], list[Axes]]


def _nothing(grid: Grid) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class CellFigure:
    """How one figure is made from a `Grid`; `panels` draws it into a figure or a part of one."""

    panels: Panels
    height_in: Callable[[int], float]
    """By the number of workloads that are there."""
    says: str
    drawn: str = "Points"
    """What shows world 0."""
    workloads: tuple[str, ...] = ("crawler", "anns")
    streaming_only: bool = False
    markers: bool = True
    spread: tuple[str, ...] = ("whiskers",)
    quantities: tuple[str, ...] = ()
    """Published quantities that are drawn."""
    finding: Callable[[Grid], str] = _nothing
    half: Panels | None = None
    """The same panels on half the width, where values are best compared from left to right."""

    def draw(self, cells: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
        """Write `out_stem`.svg, .pdf and .png.

        Raises HeadraceError as `main_grid` does, and when no cell is of the figure's workloads.
        """
        grid = main_grid(cells, reference)
        rates = self.rates([grid])
        with drawing(height_in=self.height_in(len(rates))) as figure:
            self.panels(figure, grid, rates)
            self.legend(figure, [grid])
            said, *rest = self.about(grid, provenance)
            note(figure, f"{self.says} {said}", *rest)
            save(figure, out_stem)

    def rates(self, grids: list[Grid]) -> Rates:
        """The workloads that at least one of `grids` has, each with its request rates."""
        found = {
            workload: sorted({rate for grid in grids for rate in grid.rates(workload)})
            for workload in self.workloads
        }
        if not any(found.values()):
            wanted = " or ".join(self.workloads)
            raise HeadraceError("figure", f"no cell of the main grid is of {wanted}", REMEDY)
        return {workload: rates for workload, rates in found.items() if rates}

    def legend(self, figure: Figure, grids: list[Grid]) -> None:
        """One legend for all of `grids`."""
        keys = {(one.policy, one.stream) for grid in grids for one in self._series(grid)}
        several = any(cell.worlds > 1 for grid in grids for cell in grid.cells.values())
        legend(
            figure,
            series_of(keys),
            markers=self.markers,
            spread=self.spread if several else (),
            published=[series for series in series_of(keys) if self._published(grids, series)],
            overload=any(self._overloaded(grid) for grid in grids),
        )

    def about(self, grid: Grid, provenance: str) -> list[str]:
        """Lines of the note that are `grid`'s own: what is drawn and found, overload, size and source."""
        several = any(cell.worlds > 1 for cell in grid.cells.values())
        world0 = f"{self.drawn}: world 0." if several else ""
        sizes = "; ".join(grid.size(workload) for workload in self.workloads if grid.rates(workload))
        overloaded = self._overloaded(grid)
        crossed = f"Overload, marked x: {'; '.join(overloaded)}." if overloaded else ""
        found = " ".join(filter(None, (world0, self.finding(grid))))
        return [found, crossed, f"{sizes}. {grid.hardware}; {provenance}."]

    def _series(self, grid: Grid) -> list[Series]:
        return grid.series(streaming_only=self.streaming_only)

    def _overloaded(self, grid: Grid) -> list[str]:
        return grid.overloaded(self._series(grid), self.workloads)

    def _published(self, grids: list[Grid], series: Series) -> bool:
        shown = pl.col("quantity").is_in(self.quantities) & pl.col("workload").is_in(self.workloads)
        run = {"setting": "main", "policy": series.policy, "stream": series.stream}
        return any(grid.published.filter(shown, hardware=grid.hardware, **run).height for grid in grids)
