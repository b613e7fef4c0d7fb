"""Figure 5: how many requests wait longer than a given TTFT, per workload and request rate."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase

from headrace.plots.ccdf import SMALLEST_FRACTION, curve, frame
from headrace.plots.cell_figure import CellFigure, Rates
from headrace.plots.cells import Grid
from headrace.plots.style import TTFT, published_points

PUBLISHED = {"ttft_p50_s": 0.5, "ttft_p95_s": 0.05, "ttft_p99_s": 0.01, "ttft_p99.9_s": 0.001}


def draw(cells: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw the TTFT CCDF of every policy, streaming and not: a row per workload, a column per rate.

    Lines are world 0, by the same interpolation as the percentiles; bands are the 95 % prediction interval
    for one run at each fraction; open markers are published. Writes `out_stem`.svg, .pdf and .png. Raises
    HeadraceError as `CellFigure.draw` does.
    """
    FIGURE.draw(cells, reference, out_stem, provenance)


def _panels(place: FigureBase, grid: Grid, rates: Rates) -> list[Axes]:
    columns = max(map(len, rates.values()))
    panels = place.subplots(len(rates), columns, sharex=True, sharey=True, squeeze=False)
    for row, (workload, chosen) in zip(panels, rates.items(), strict=True):
        for axes, qps in zip(row, chosen, strict=False):
            _panel(axes, grid, workload, qps)
        for axes in row[len(chosen) :]:
            axes.set_visible(False)
        row[0].set_ylabel("fraction with longer TTFT")
    for axes in panels[-1]:
        axes.set_xlabel("TTFT (s)")
    _frame(panels[0, 0], grid)
    return list(panels.flat)


def _panel(axes: Axes, grid: Grid, workload: str, qps: float) -> None:
    for series in grid.series():
        cell = grid.cell(workload, qps, series)
        if cell:
            curve(axes, series, cell.ttft_s, cell.overload)
        points = {
            fraction: seconds
            for quantity, fraction in PUBLISHED.items()
            if (seconds := grid.published_value(workload, qps, series, quantity)) is not None
        }
        published_points(axes, series, list(points.values()), list(points))
    axes.set_title(f"{workload}, {qps:g} QPS")
    axes.tick_params(labelbottom=True)


def _frame(axes: Axes, grid: Grid) -> None:
    """Axes that all panels share, wide enough for the published points and world 0 but its fastest 2 %."""
    world0 = [cell.ttft_s[0] for cell in grid.cells.values()]
    published = grid.published.filter(pl.col("quantity").is_in(list(PUBLISHED)))
    published = published.filter(hardware=grid.hardware, setting="main")["published"].to_list()
    fastest = min([float(np.quantile(world, 0.02)) for world in world0] + published)
    slowest = max([float(np.quantile(world, 1 - SMALLEST_FRACTION)) for world in world0] + published)
    frame(axes, fastest / 1.3, slowest * 1.6)


FIGURE = CellFigure(
    panels=_panels,
    height_in=lambda workloads: 0.9 + 1.75 * workloads,
    says=TTFT,
    drawn="Lines",
    markers=False,
    spread=("band",),
    quantities=tuple(PUBLISHED),
)
