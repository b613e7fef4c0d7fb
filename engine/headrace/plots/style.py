"""One look for all figures: a policy has the same colour, marker and line everywhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from headrace.files import atomic

WIDTH_IN = 7.0
BAND_ALPHA = 0.10
NOTE_GREY = "0.35"
TTFT = "TTFT: first token after the last hand-over, without streaming after the submission."
FORMATS = ("svg", "pdf", "png")
WITHOUT_DATES = {
    "svg": {"Date": None, "Creator": "Headrace"},
    "pdf": {"CreationDate": None, "Creator": "Headrace"},
    "png": {"Software": "Headrace"},
}
SETTINGS = {
    "font.family": "DejaVu Sans",
    "font.size": 7.5,
    "axes.titlesize": 8.0,
    "axes.labelsize": 7.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "0.88",
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "lines.markersize": 4.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "savefig.dpi": 220,
    "svg.hashsalt": "headrace",
}


@dataclass(frozen=True, slots=True)
class Series:
    """How one policy, streaming or not, is drawn: colours of Okabe and Ito; lines differ in grey, too."""

    policy: str
    stream: bool
    label: str
    colour: str
    marker: str
    line: str | tuple[float, tuple[float, ...]]


SERIES = (
    Series("default_vllm", False, "default_vllm, non-streaming", "#CC79A7", "s", (0, (5, 1.5))),
    Series("default_vllm", True, "default_vllm, streaming", "#000000", "o", "-"),
    Series("fcfs", True, "fcfs", "#0072B2", "^", "-"),
    Series("lcas", True, "lcas", "#E69F00", "D", (0, (5, 1, 1, 1))),
    Series("mcps", True, "mcps", "#009E73", "v", (0, (1.5, 1))),
)


@contextmanager
def drawing(width_in: float = WIDTH_IN, height_in: float = 3.0) -> Iterator[Figure]:
    """A figure with the house style, to be filled and saved inside the block."""
    with matplotlib.rc_context(SETTINGS):
        yield Figure(figsize=(width_in, height_in), layout="constrained")


def published_points(axes: Axes, series: Series, x: list[float], y: list[float]) -> None:
    """Published numbers: the series' marker, open, without a line."""
    style = {"linestyle": "none", "markersize": 4.5, "markeredgewidth": 0.9, "zorder": 5}
    axes.plot(x, y, marker=series.marker, color=series.colour, markerfacecolor="white", **style)


def legend(
    figure: Figure, shown: list[Series], *, markers: bool, spread: str | None, published: bool
) -> None:
    """One legend above the figure: the series shown, then the spread and the published points if drawn.

    `spread` says how the interval is drawn: "band", "whiskers", or None where there is no interval.
    """
    handles: list = [
        Line2D([], [], color=s.colour, linestyle=s.line, marker=s.marker if markers else None) for s in shown
    ]
    labels = [series.label for series in shown]
    if spread:
        whiskers = Line2D([], [], color="0.4", marker="|", linestyle="none", markersize=9)
        handles.append(
            Patch(color="0.4", alpha=2 * BAND_ALPHA, linewidth=0) if spread == "band" else whiskers
        )
        labels.append("95% prediction interval")
    if published:
        open_marker = {"linestyle": "none", "markerfacecolor": "white"}
        handles.append(tuple(Line2D([], [], color=s.colour, marker=s.marker, **open_marker) for s in shown))
        labels.append("published")
    spaced = {tuple: HandlerTuple(ndivide=None, pad=0.25)}
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=4,
        handlelength=3.2,
        handler_map=spaced,
        columnspacing=1.6,
    )


def note(figure: Figure, text: str) -> None:
    """A small line below the figure: what is drawn, and where the numbers come from."""
    figure.supxlabel(text, x=0.01, ha="left", fontsize=6.5, color=NOTE_GREY)


def save(figure: Figure, out_stem: Path) -> None:
    """Write `out_stem` as SVG, PDF and PNG, each atomically; the same figure gives the same SVG bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for suffix in FORMATS:
        with atomic(out_stem.with_name(f"{out_stem.name}.{suffix}")) as temporary:
            figure.savefig(temporary, format=suffix, metadata=WITHOUT_DATES[suffix])
