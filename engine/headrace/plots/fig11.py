"""Figure 11: trace completion time per request rate and policy, and its difference to default streaming."""

from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from headrace.plots.cell_figure import CellFigure, Rates
from headrace.plots.cells import Grid
from headrace.plots.points import aside, points, rate_axis
from headrace.plots.style import DEFAULT_STREAMING, Series

STEP = 1.075
SAYS = (
    "Completion time: from the first query's start to the last finish; differences are within one world."
    " The series stand side by side around their rate. The study published no numbers of this figure."
)


def draw(cells: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw completion time (above) and its difference to default streaming (below), a column per workload.

    Points are world 0, whiskers the 95 % prediction interval for one run. The difference is within one world,
    where all policies serve the same queries. Writes `out_stem`.svg, .pdf and .png. Raises HeadraceError as
    `CellFigure.draw` does.
    """
    FIGURE.draw(cells, reference, out_stem, provenance)


def _panels(place: FigureBase, grid: Grid, rates: Rates, upright: bool) -> list[Axes]:
    shape = (2 * len(rates), 1) if upright else (2, len(rates))
    panels = place.subplots(*shape, squeeze=False)
    pairs = panels.reshape(-1, 2) if upright else panels.T
    for axes in pairs[1:, 1]:
        axes.sharey(pairs[0, 1])
    for (above, below), (workload, chosen) in zip(pairs, rates.items(), strict=True):
        _times(above, grid, workload, chosen)
        _differences(below, grid, workload, chosen)
    for above, below in pairs if upright else pairs[:1]:
        above.set_ylabel("trace\ncompletion time (s)")
        below.set_ylabel("difference to\ndefault streaming (%)")
    return list(panels.flat)


def _times(axes: Axes, grid: Grid, workload: str, rates: list[float]) -> None:
    for place, series in enumerate(shown := grid.series()):
        cells = [grid.cell(workload, qps, series) for qps in rates]
        x = [qps * aside(place, len(shown), STEP) for qps in rates]
        overload = [cell is not None and cell.overload for cell in cells]
        points(axes, series, x, [cell and cell.completion_s for cell in cells], overload)
    rate_axis(axes, rates)
    axes.set_xlabel("")
    axes.set_title(workload)
    axes.margins(y=0.12)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _differences(axes: Axes, grid: Grid, workload: str, rates: list[float]) -> None:
    axes.axhline(0.0, color=DEFAULT_STREAMING.colour, linewidth=0.8)
    for place, series in enumerate(shown := grid.series()):
        ratios = [_over_default(grid, workload, qps, series) for qps in rates]
        x = [qps * aside(place, len(shown), STEP) for qps in rates]
        overload = [
            ratio is not None and grid.cell(workload, qps, series).overload
            for qps, ratio in zip(rates, ratios, strict=True)
        ]
        points(axes, series, x, ratios, overload, back=_percent)
    rate_axis(axes, rates)


def _over_default(grid: Grid, workload: str, qps: float, series: Series) -> np.ndarray | None:
    """Completion time over that of default streaming, per world; None for itself and where one is missing."""
    cell, default = grid.cell(workload, qps, series), grid.cell(workload, qps, DEFAULT_STREAMING)
    if series == DEFAULT_STREAMING or cell is None or default is None:
        return None
    return cell.completion_s / default.completion_s


def _percent(ratio: np.ndarray) -> np.ndarray:
    return 100.0 * (ratio - 1.0)


def _finding(grid: Grid) -> str:
    """The largest difference of world 0."""
    found = {
        (workload, qps, series.label): float(_percent(ratio[0]))
        for workload in FIGURE.workloads
        for qps in grid.rates(workload)
        for series in grid.series()
        if (ratio := _over_default(grid, workload, qps, series)) is not None
    }
    if not found:
        return ""
    workload, qps, label = largest = max(found, key=lambda key: abs(found[key]))
    return f"Largest difference of a point: {found[largest]:+.2g} % ({workload} at {qps:g} QPS, {label})."


FIGURE = CellFigure(
    panels=partial(_panels, upright=False),
    half=partial(_panels, upright=True),
    height_in=lambda workloads: 4.3,
    says=SAYS,
    finding=_finding,
)
