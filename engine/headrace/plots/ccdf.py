"""Complementary cumulative distributions: which fraction of the requests lies above a value."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from headrace.plots.style import BAND_ALPHA, Series, overload_marks
from headrace.scorecard.intervals import prediction_interval

SMALLEST_FRACTION = 1e-3
FRACTIONS = np.geomspace(1.0, SMALLEST_FRACTION, 121)
OVERLOAD_FRACTION = 0.2
TWO_DECADES = 100.0


def curve(axes: Axes, series: Series, worlds: list[np.ndarray], overload: bool) -> None:
    """Draw world 0 as a line, by the same interpolation as the percentiles, and a band over the worlds.

    The band is the 95 % prediction interval for one run's quantile at each fraction; there is none where a
    world's quantile is zero.
    """
    quantiles = np.array([np.quantile(world, 1 - FRACTIONS) for world in worlds])
    low, high = prediction_interval(quantiles)
    # Bands overlap: their edges tell them apart.
    face, edge = (series.colour, BAND_ALPHA), (series.colour, 0.6)
    axes.fill_betweenx(FRACTIONS, low, high, facecolor=face, edgecolor=edge, linewidth=0.4)
    axes.plot(quantiles[0], FRACTIONS, color=series.colour, linestyle=series.line)
    if overload:
        at = np.quantile(worlds[0], 1 - OVERLOAD_FRACTION)
        overload_marks(axes, [float(at)], [OVERLOAD_FRACTION])


def frame(axes: Axes, lowest: float, highest: float) -> None:
    """Logarithmic axes from `lowest` to `highest`, down to the smallest fraction."""
    axes.set_xlim(lowest, highest)
    axes.set_xscale("log")
    axes.set_yscale("log")
    if highest < TWO_DECADES * lowest:
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    axes.set_ylim(SMALLEST_FRACTION * 0.7, 1.3)
