"""Mean and P95 TTFT against the request rate, for one workload: what figures 6 and 7 draw."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from headrace.plots.cell_figure import CellFigure, Rates
from headrace.plots.cells import Grid
from headrace.plots.points import aside, points, rate_axis
from headrace.plots.style import DEFAULT_STREAMING, DEFAULT_WHOLE, TTFT, published_points

PUBLISHED = "ttft_p95_s"


def figure_of(workload: str) -> CellFigure:
    """Mean (left) and P95 (right) TTFT of `workload` against QPS, every policy, streaming and not.

    Points are world 0, whiskers the 95 % prediction interval for one run; open markers are published P95
    (means were not published). The series stand side by side around their rate.
    """
    return CellFigure(
        panels=partial(_panels, workload, columns=2),
        half=partial(_panels, workload, columns=1),
        height_in=lambda workloads: 3.1,
        says=f"{TTFT} The series stand side by side around their rate.",
        workloads=(workload,),
        quantities=(PUBLISHED,),
        finding=partial(_finding, workload),
    )


def _panels(workload: str, place: FigureBase, grid: Grid, rates: Rates, columns: int) -> list[Axes]:
    mean, p95 = panels = place.subplots(2 // columns, columns, sharey=True)
    for at, series in enumerate(shown := grid.series()):
        shift = aside(at, len(shown))
        for axes, statistic in ((mean, np.mean), (p95, _p95)):
            cells = [grid.cell(workload, qps, series) for qps in rates[workload]]
            values = [cell and np.array([statistic(world) for world in cell.ttft_s]) for cell in cells]
            overload = [cell is not None and cell.overload for cell in cells]
            points(axes, series, [qps * shift for qps in rates[workload]], values, overload, joined=True)
        published = {
            qps * shift: seconds
            for qps in rates[workload]
            if (seconds := grid.published_value(workload, qps, series, PUBLISHED)) is not None
        }
        published_points(p95, series, list(published), list(published.values()))
    mean.set_title(f"{workload}, mean (no published values)")
    p95.set_title(f"{workload}, P95")
    for axes in panels:
        rate_axis(axes, rates[workload])
        _seconds_axis(axes)
    mean.set_ylabel("TTFT (s)")
    if columns == 1:
        p95.set_ylabel("TTFT (s)")
    return list(panels)


def _finding(workload: str, grid: Grid) -> str:
    """How much longer default_vllm's mean TTFT is without streaming, lowest and highest over the rates."""
    pairs = [
        (grid.cell(workload, qps, DEFAULT_WHOLE), grid.cell(workload, qps, DEFAULT_STREAMING))
        for qps in grid.rates(workload)
    ]
    times = [slow.ttft_s[0].mean() / fast.ttft_s[0].mean() for slow, fast in pairs if slow and fast]
    if not times:
        return ""
    low, high = min(times), max(times)
    return f"default_vllm, mean TTFT without streaming: {low:.1f} to {high:.1f} times that with it."


def _p95(ttft_s: np.ndarray) -> float:
    return float(np.percentile(ttft_s, 95))


def _seconds_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.tick_params(labelleft=True)
