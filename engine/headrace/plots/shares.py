"""Histograms side by side, a panel per workload, each below a strip with its middle and ends."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from headrace.plots.arrivals import Arrivals, about
from headrace.plots.style import drawing, note, save
from headrace.plots.summary import draw_strip, strip_legend, summary_of
from headrace.scorecard.intervals import prediction_interval


@dataclass(frozen=True, slots=True)
class Histogram:
    """What one panel shows."""

    arrivals: Arrivals
    values: list[np.ndarray]
    """Of each world, world 0 first."""
    published: dict[str, float]
    """Statistic -> value, in the unit of `values`."""
    edges: np.ndarray
    """Of the bins, ascending; values outside count in the outermost bins."""

    def shares(self) -> np.ndarray:
        """Share of the values in each bin; one row per world, each sums to 1."""
        inside = [np.clip(world, self.edges[0], self.edges[-1]) for world in self.values]
        return np.array([np.histogram(world, self.edges)[0] / len(world) for world in inside])


def draw_histograms(
    panels: list[Histogram], out_stem: Path, *, log: bool, label: str, share: str, text: str, provenance: str
) -> None:
    """Draw the panels, which share their axes, and write `out_stem`.svg, .pdf and .png.

    Bars are world 0, whiskers the 95 % prediction interval for one draw at each bin. Bins are logarithmic
    and touch (`log`; strips show quartiles, too), or stand for one whole number each. `label` names the
    horizontal axis, `share` the vertical one.
    """
    with drawing(height_in=3.4) as figure:
        strips, histograms = figure.subplots(
            2, len(panels), sharex=True, sharey="row", squeeze=False, height_ratios=(1, 5)
        )
        for strip, axes, panel in zip(strips, histograms, panels, strict=False):
            style = panel.arrivals.style
            draw_strip(strip, summary_of(panel.values[0]), panel.published, style.colour, quartiles=log)
            strip.set_title(style.label)
            _bars(axes, panel, log)
            axes.set_xlabel(label)
            axes.grid(False, axis="x")
        histograms[0].set_ylabel(share)
        strip_legend(figure, quartiles=log, spread=any(len(panel.values) > 1 for panel in panels))
        note(figure, text, *about([panel.arrivals for panel in panels]), f"Numbers: {provenance}.")
        save(figure, out_stem)


def _bars(axes: Axes, panel: Histogram, log: bool) -> None:
    colour, edges, shares = panel.arrivals.style.colour, panel.edges, panel.shares()
    centres = np.sqrt(edges[:-1] * edges[1:]) if log else (edges[:-1] + edges[1:]) / 2
    width = np.diff(edges) * (1.0 if log else 0.8)
    left = edges[:-1] if log else centres - width / 2
    look = {"facecolor": (colour, 0.35), "edgecolor": colour, "linewidth": 0.7}
    axes.bar(left, shares[0], width, align="edge", **look)
    low, high = prediction_interval(shares, scale="share")
    axes.vlines(centres, low, high, color=colour, linewidth=1.3)
    if log:
        axes.set_xscale("log")
    axes.set_xlim(edges[0], edges[-1])
