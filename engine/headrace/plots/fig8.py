"""Figure 8: how long it takes from one chunk to the next, as a cumulative distribution."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from headrace.plots.arrivals import Arrivals, about, read_arrivals
from headrace.plots.style import BAND_ALPHA, drawing, legend, note, published_points, save
from headrace.scorecard.intervals import prediction_interval

FRACTIONS = np.linspace(0.0, 1.0, 401)
PUBLISHED = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
MEAN = "^"
NARROW = "; an interval that can't be seen is narrower than the line"


def draw(workloads: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw the CDF of the gaps between chunks, one line per workload.

    Lines are world 0, by the same interpolation as the percentiles; bands are the 95 % prediction interval
    for one draw at each fraction; open markers are published percentiles; triangles at 0 are means.
    Writes `out_stem`.svg, .pdf and .png. Raises HeadraceError as `read_arrivals` does.
    """
    shown = read_arrivals(workloads, reference)
    with drawing(height_in=3.6) as figure:
        axes = figure.subplots()
        for arrivals in shown:
            _curve(axes, arrivals)
        axes.set_xscale("log")
        axes.set_xlabel("gap between chunks (s)")
        axes.set_ylabel("fraction of gaps at most as long")
        axes.set_ylim(-0.035, 1.02)
        banded = any(len(arrivals.gaps_s) > 1 for arrivals in shown)
        published = [arrivals.style for arrivals in shown if arrivals.published_gaps_s]
        styles = [arrivals.style for arrivals in shown]
        legend(figure, styles, markers=False, spread=("band",) * banded, published=published)
        text = f"Lines: world 0{NARROW * banded}. Triangles at 0: mean gaps."
        note(figure, text, *about(shown), f"Numbers: {provenance}.")
        save(figure, out_stem)


def _curve(axes: Axes, arrivals: Arrivals) -> None:
    style = arrivals.style
    gaps_s = np.array([np.quantile(world, FRACTIONS) for world in arrivals.gaps_s])
    low, high = prediction_interval(gaps_s)
    face, edge = (style.colour, 2 * BAND_ALPHA), (style.colour, 0.6)
    axes.fill_betweenx(FRACTIONS, low, high, facecolor=face, edgecolor=edge, linewidth=0.4)
    axes.plot(gaps_s[0], FRACTIONS, color=style.colour, linestyle=style.line)
    axes.plot([arrivals.gaps_s[0].mean()], [0], marker=MEAN, color=style.colour)
    published = arrivals.published_gaps_s
    there = [name for name in PUBLISHED if name in published]
    published_points(axes, style, [published[name] for name in there], [PUBLISHED[name] for name in there])
    if "mean" in published:
        published_points(axes, replace(style, marker=MEAN), [published["mean"]], [0])
