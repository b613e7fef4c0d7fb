"""Figure 5: how many requests wait longer than a given TTFT, per workload and request rate."""

from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from headrace.plots.cells import Grid, main_grid
from headrace.plots.style import (
    BAND_ALPHA,
    TTFT,
    Series,
    drawing,
    legend,
    note,
    published_points,
    save,
)
from headrace.scorecard.intervals import prediction_interval

WORKLOADS = ("crawler", "anns")
SMALLEST_FRACTION = 1e-3
FRACTIONS = np.geomspace(1.0, SMALLEST_FRACTION, 121)
PUBLISHED = {"p50": 0.5, "p95": 0.05, "p99": 0.01, "p99.9": 0.001}


def draw(cells: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw the TTFT CCDF of every policy, streaming and not: a row per workload, a column per rate.

    Lines are world 0, by the same interpolation as the percentiles; bands are the 95 % prediction interval
    for one run at each fraction; open markers are published. Writes `out_stem`.svg, .pdf and .png. Raises
    HeadraceError as `main_grid` does.
    """
    grid = main_grid(cells, reference)
    rows = [workload for workload in WORKLOADS if grid.rates(workload)]
    columns = max(len(grid.rates(workload)) for workload in rows)
    with drawing(height_in=0.9 + 1.75 * len(rows)) as figure:
        panels = figure.subplots(len(rows), columns, sharex=True, sharey=True, squeeze=False)
        for row, workload in zip(panels, rows, strict=True):
            rates = grid.rates(workload)
            for axes, qps in zip(row, rates, strict=False):
                _panel(axes, grid, workload, qps)
            for axes in row[len(rates) :]:
                axes.set_visible(False)
            row[0].set_ylabel("fraction with longer TTFT")
        for axes in panels[-1]:
            axes.set_xlabel("TTFT (s)")
        _frame(panels[0, 0], grid)
        banded = any(len(worlds) > 1 for worlds in grid.ttft_s.values())
        published = not grid.published.filter(hardware=grid.hardware).is_empty()
        legend(figure, grid.series(), markers=False, spread="band" if banded else None, published=published)
        sizes = "; ".join(f"{workload}: {grid.size(workload)}" for workload in rows)
        note(
            figure,
            f"{TTFT} Lines: world 0.\n{sizes}.\n{grid.hardware}; {provenance}.",
        )
        save(figure, out_stem)


def _panel(axes: Axes, grid: Grid, workload: str, qps: float) -> None:
    for series in grid.series():
        worlds = grid.worlds(workload, qps, series)
        if worlds:
            _curve(axes, series, worlds)
        points = {
            fraction: seconds
            for percentile, fraction in PUBLISHED.items()
            if (seconds := grid.published_s(workload, qps, series, percentile)) is not None
        }
        published_points(axes, series, list(points.values()), list(points))
    axes.set_title(f"{workload}, {qps:g} QPS")
    axes.tick_params(labelbottom=True)


def _curve(axes: Axes, series: Series, worlds: list[np.ndarray]) -> None:
    seconds = np.array([np.quantile(world, 1 - FRACTIONS) for world in worlds])
    low, high = prediction_interval(seconds)
    # Bands overlap: their edges tell them apart.
    face, edge = (series.colour, BAND_ALPHA), (series.colour, 0.6)
    axes.fill_betweenx(FRACTIONS, low, high, facecolor=face, edgecolor=edge, linewidth=0.4)
    axes.plot(seconds[0], FRACTIONS, color=series.colour, linestyle=series.line)


def _frame(axes: Axes, grid: Grid) -> None:
    """Axes that all panels share, wide enough for the published points and world 0 but its fastest 2 %."""
    world0 = [worlds[0] for worlds in grid.ttft_s.values()]
    published = grid.published.filter(pl.col("quantity").is_in([f"ttft_{name}_s" for name in PUBLISHED]))
    published = published.filter(hardware=grid.hardware, setting="main")["published"].to_list()
    fastest = min([float(np.quantile(world, 0.02)) for world in world0] + published)
    slowest = max([float(np.quantile(world, 1 - SMALLEST_FRACTION)) for world in world0] + published)
    axes.set_xlim(fastest / 1.3, slowest * 1.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_ylim(SMALLEST_FRACTION * 0.7, 1.3)
