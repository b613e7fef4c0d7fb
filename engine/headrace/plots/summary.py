"""A strip above a histogram: where the middle and the ends of a distribution lie, published and here."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

MARKERS = {"p50": "o", "mean": "^"}
ROWS = ("here", "published")


def summary_of(values: np.ndarray) -> dict[str, float]:
    """min, p25, p50, p75, max and mean of `values`; percentiles linear between order statistics."""
    low, p25, p50, p75, high = np.percentile(values, (0, 25, 50, 75, 100)).tolist()
    return {"min": low, "p25": p25, "p50": p50, "p75": p75, "max": high, "mean": float(values.mean())}


def draw_strip(
    axes: Axes, here: Mapping[str, float], published: Mapping[str, float], colour: str, quartiles: bool
) -> None:
    """One line per row from min to max, thick from P25 to P75 if `quartiles`, with median and mean.

    Published statistics have open markers; those that were not published are left out.
    """
    for row, statistics in enumerate((here, published)):
        for low, high, width in (("min", "max", 0.9), ("p25", "p75", 3.2)):
            if low in statistics and high in statistics and (quartiles or low == "min"):
                axes.plot([statistics[low], statistics[high]], [row, row], color=colour, linewidth=width)
        for statistic, marker in MARKERS.items():
            if statistic in statistics:
                look = {"markerfacecolor": "white", "markersize": 5.0} if row else {"zorder": 3}
                axes.plot([statistics[statistic]], [row], marker=marker, color=colour, **look)
    axes.set_yticks(range(len(ROWS)), ROWS)
    axes.set_ylim(-0.6, 1.6)
    axes.grid(False, axis="y")
    axes.tick_params(which="both", bottom=False, left=False, labelbottom=False)
    for side in ("left", "bottom"):
        axes.spines[side].set_visible(False)


def strip_legend(figure: Figure, quartiles: bool, spread: bool) -> None:
    """One legend above the figure, in grey: what the marks of the strips and the whiskers mean."""
    handles = {"min to max": Line2D([], [], color="0.3", linewidth=0.9)}
    if quartiles:
        handles["P25 to P75"] = Line2D([], [], color="0.3", linewidth=3.2)
    names = {"p50": "median", "mean": "mean"}
    for statistic, marker in MARKERS.items():
        handles[names[statistic]] = Line2D([], [], color="0.3", marker=marker, linestyle="none")
    handles["open: published"] = Line2D(
        [], [], color="0.3", marker="o", markerfacecolor="white", linestyle="none"
    )
    if spread:
        handles["95% prediction interval"] = Line2D(
            [], [], color="0.4", marker="|", linestyle="none", markersize=9
        )
    figure.legend(
        list(handles.values()), list(handles), loc="outside upper center", ncols=6, columnspacing=1.6
    )
