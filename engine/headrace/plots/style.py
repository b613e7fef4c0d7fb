"""One look for all figures: a policy has the same colour, marker and line everywhere."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from headrace.errors import HeadraceError
from headrace.files import atomic

WIDTH_IN = 7.0
BAND_ALPHA = 0.10
NOTE_GREY = "0.35"
NOTE_COLUMNS_PER_IN = 19.5
OVERLOAD = {
    "marker": "x",
    "color": "0.15",
    "linestyle": "none",
    "markersize": 8.0,
    "markeredgewidth": 1.0,
}
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
DEFAULT_WHOLE, DEFAULT_STREAMING = SERIES[:2]
SPARE = (
    ("#56B4E9", "P", (0, (3, 1, 1, 1, 1, 1))),
    ("#882255", "X", (0, (8, 2))),
    ("#999933", "*", (0, (1, 2))),
    ("#44AA99", "h", (0, (6, 1, 2, 1))),
)


def series_of(policies: set[tuple[str, bool]]) -> list[Series]:
    """The series of these (policy, streaming), in the order of the legend; spare looks for one's own.

    Raises HeadraceError for more policies of one's own than there are looks.
    """
    named = [series for series in SERIES if (series.policy, series.stream) in policies]
    own = sorted(policies - {(series.policy, series.stream) for series in SERIES})
    if len(own) > len(SPARE):
        problem = f"{len(own)} series that have no look of their own, there are {len(SPARE)} spare ones"
        raise HeadraceError("figure", problem, "add looks to SPARE in headrace/plots/style.py")
    return named + [
        Series(policy, stream, policy if stream else f"{policy}, non-streaming", *look)
        for (policy, stream), look in zip(own, SPARE, strict=False)
    ]


@dataclass(frozen=True, slots=True)
class WorkloadStyle:
    """How a workload is drawn where no policy is: colours that no policy has."""

    label: str
    colour: str
    marker: str
    line: str | tuple[float, tuple[float, ...]]


WORKLOADS = {
    "crawler": WorkloadStyle("crawler", "#D55E00", "o", "-"),
    "anns": WorkloadStyle("anns", "#332288", "s", (0, (5, 1.5))),
}


@contextmanager
def drawing(width_in: float = WIDTH_IN, height_in: float = 3.0) -> Iterator[Figure]:
    """A figure with the house style, to be filled and saved inside the block."""
    with matplotlib.rc_context(SETTINGS):
        yield Figure(figsize=(width_in, height_in), layout="constrained")


def published_points(axes: Axes, series: Series, x: list[float], y: list[float]) -> None:
    """Published numbers: the series' marker, open and larger, so that ours shows inside it."""
    style = {"linestyle": "none", "markersize": 6.2, "markeredgewidth": 0.9, "zorder": 5}
    axes.plot(x, y, marker=series.marker, color=series.colour, markerfacecolor="none", **style)


def overload_marks(axes: Axes, x: list[float], y: list[float]) -> None:
    """A cross over what an overloaded cell gave; it reaches beyond the marker below it."""
    axes.plot(x, y, **OVERLOAD, zorder=6)


def legend(
    figure: Figure,
    shown: list[Series],
    *,
    markers: bool,
    spread: tuple[str, ...] = (),
    published: list[Series],
    overload: bool = False,
) -> None:
    """One legend above the figure: the series shown, then published points, spread and overload if drawn.

    `spread` says how the interval is drawn: "band", "whiskers", both, or nothing where there is none;
    `published` are the series with published points.
    """
    handles: list = [
        Line2D([], [], color=s.colour, linestyle=s.line, marker=s.marker if markers else None) for s in shown
    ]
    labels = [series.label for series in shown]
    handlers: dict = {tuple: HandlerTuple(ndivide=None, pad=0.25)}
    if published:
        open_marker = {"linestyle": "none", "markerfacecolor": "none", "markersize": 5.0}
        handles.append(
            tuple(Line2D([], [], color=s.colour, marker=s.marker, **open_marker) for s in published)
        )
        labels.append("published")
    if spread:
        drawn = {
            "band": Patch(color="0.4", alpha=2 * BAND_ALPHA, linewidth=0),
            "whiskers": Line2D([], [], color="0.4", marker="|", linestyle="none", markersize=9),
        }
        handles.append(tuple(drawn[kind] for kind in spread))
        handlers[handles[-1]] = HandlerTuple(ndivide=1)
        labels.append("95% prediction interval")
    if overload:
        handles.append(Line2D([], [], **OVERLOAD))
        labels.append("overload")
    figure.legend(
        handles,
        labels,
        loc="outside upper center",
        ncols=math.ceil(len(handles) / 2),
        handlelength=3.2,
        handler_map=handlers,
        columnspacing=1.6,
    )


def note(figure: Figure, *lines: str) -> None:
    """Small lines below the figure, wrapped: what is drawn, and where the numbers come from."""
    columns = int(figure.get_figwidth() * NOTE_COLUMNS_PER_IN)
    wrapped = [part for line in "\n".join(lines).splitlines() for part in wrap(line, columns)]
    figure.supxlabel("\n".join(wrapped), x=0.01, ha="left", fontsize=6.5, color=NOTE_GREY)


def save(figure: Figure, out_stem: Path) -> None:
    """Write `out_stem` as SVG, PDF and PNG, each atomically; the same figure gives the same SVG bytes."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for suffix in FORMATS:
        with atomic(out_stem.with_name(f"{out_stem.name}.{suffix}")) as temporary:
            figure.savefig(temporary, format=suffix, metadata=WITHOUT_DATES[suffix])
