"""Mean and P95 TTFT against the request rate, for one workload: what figures 6 and 7 draw."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator, StrMethodFormatter

from headrace.errors import HeadraceError
from headrace.plots.cells import Grid, main_grid
from headrace.plots.style import (
    TTFT,
    Series,
    drawing,
    legend,
    note,
    published_points,
    save,
)
from headrace.scorecard.intervals import prediction_interval

DODGE = 1.035


def draw(cells: list[Path], reference: list[Path], out_stem: Path, provenance: str, workload: str) -> None:
    """Draw mean (left) and P95 (right) TTFT of `workload` against QPS, every policy, streaming and not.

    Points are world 0, whiskers the 95 % prediction interval for one run; open markers are published P95
    (means were not published). The series stand side by side around their rate. Writes `out_stem`.svg, .pdf
    and .png. Raises HeadraceError as `main_grid` does, and when no cell is of `workload`.
    """
    grid = main_grid(cells, reference)
    rates = grid.rates(workload)
    if not rates:
        raise HeadraceError("figure", f"no cell of the main grid is of {workload}", "give its cells")
    with drawing(height_in=3.1) as figure:
        mean, p95 = figure.subplots(1, 2, sharey=True)
        spread = False
        for place, series in enumerate(shown := grid.series()):
            shift = DODGE ** (place - (len(shown) - 1) / 2)
            spread |= _line(mean, grid, workload, series, shift, np.mean)
            spread |= _line(p95, grid, workload, series, shift, _p95)
            _published(p95, grid, workload, series, shift)
        for axes, title in ((mean, f"{workload}, mean (no published values)"), (p95, f"{workload}, P95")):
            _frame(axes, rates)
            axes.set_title(title)
        mean.set_ylabel("TTFT (s)")
        published = not grid.published.filter(hardware=grid.hardware).is_empty()
        legend(figure, shown, markers=True, spread="whiskers" if spread else None, published=published)
        note(
            figure,
            f"{TTFT}\nPoints: world 0, side by side around their rate. {grid.size(workload)}.\n"
            f"{grid.hardware}; {provenance}.",
        )
        save(figure, out_stem)


def _line(axes: Axes, grid: Grid, workload: str, series: Series, shift: float, statistic) -> bool:
    """Draw one series; whether it has whiskers."""
    rates = [qps for qps in grid.rates(workload) if grid.worlds(workload, qps, series)]
    values = [np.array([statistic(world) for world in grid.worlds(workload, qps, series)]) for qps in rates]
    bounds = np.array([prediction_interval(worlds) for worlds in values]).reshape(-1, 2)
    x = [qps * shift for qps in rates]
    axes.vlines(x, bounds[:, 0], bounds[:, 1], color=series.colour, linewidth=1.6, alpha=0.5)
    look = {"color": series.colour, "linestyle": series.line, "marker": series.marker}
    axes.plot(x, [worlds[0] for worlds in values], **look)
    return bool(np.isfinite(bounds).any())


def _published(axes: Axes, grid: Grid, workload: str, series: Series, shift: float) -> None:
    points = {
        qps * shift: seconds
        for qps in grid.rates(workload)
        if (seconds := grid.published_s(workload, qps, series, "p95")) is not None
    }
    published_points(axes, series, list(points), list(points.values()))


def _p95(ttft_s: np.ndarray) -> float:
    return float(np.percentile(ttft_s, 95))


def _frame(axes: Axes, rates: list[float]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(rates))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.grid(False, axis="x")
    axes.tick_params(labelleft=True)
    axes.set_xlabel("request rate (QPS)")
