"""Points of several series side by side: world 0, whiskers over the worlds, overload marked."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from headrace.plots.style import Series, overload_marks
from headrace.scorecard.intervals import prediction_interval

STEP = 1.035


def aside(place: int, places: int, step: float = STEP) -> float:
    """The factor that moves the series at `place` of `places` aside from its rate."""
    return step ** (place - (places - 1) / 2)


def points(
    axes: Axes,
    series: Series,
    x: list[float],
    worlds: list[np.ndarray | None],
    overload: list[bool],
    *,
    joined: bool = False,
    back=lambda value: value,
) -> None:
    """Draw at each `x` world 0 of the positive values `worlds`, and the 95 % prediction interval for one run.

    Both are shown as `back` of them; None leaves a gap. `joined` connects the points by the series' line.
    """
    shown = [np.array([np.nan]) if values is None else values for values in worlds]
    bounds = back(np.array([prediction_interval(values) for values in shown]))
    world0 = [float(back(values[0])) for values in shown]
    axes.vlines(x, bounds[:, 0], bounds[:, 1], color=series.colour, linewidth=1.6, alpha=0.5)
    line = series.line if joined else "none"
    axes.plot(x, world0, color=series.colour, linestyle=line, marker=series.marker)
    marked = [place for place, over in enumerate(overload) if over]
    if marked:
        overload_marks(axes, [x[place] for place in marked], [world0[place] for place in marked])


def rate_axis(axes: Axes, rates: list[float]) -> None:
    """The request rate, logarithmic, with a tick at each of `rates`."""
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator(rates))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(rates[0] / 1.25, rates[-1] * 1.25)
    axes.grid(False, axis="x")
    axes.set_xlabel("request rate (QPS)")
