"""Published against reproduced: every compared number of H200, by artifact and percentile."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from headrace.fidelity.rows import HARDWARE, PRESSURE, WORKLOADS, comparable
from headrace.plots.style import WORKLOADS as LOOKS
from headrace.plots.style import drawing, note, save
from headrace.scorecard.score import read

BAND = 0.25
BAND_GREY = "0.90"
PERCENTILES = {"p50": ("P50", "o"), "p95": ("P95", "s"), "p99": ("P99", "^"), "p99.9": ("P99.9", "D")}
COUNT_MARKER = "X"
SAYS = (
    "Each point is one published number of H200 beside ours (world 0, the most typical of several draws, if"
    " it replays the published trace, else the median over worlds); in brackets how many. Pressure: waits"
    " stretched, eviction by cost and by recomputation. Speedups are over default_vllm, streaming and not,"
    " and restate seconds. Excluded numbers and inputs are left out."
)


@dataclass(frozen=True, slots=True)
class Panel:
    """What one panel shows: rows by quantity, workload and setting; the unit stands in the title."""

    title: str
    quantity: str
    workloads: tuple[str, ...]
    settings: tuple[str, ...]

    def rows(self, card: pl.DataFrame) -> pl.DataFrame:
        """The rows with two positive numbers: the axes are logarithmic."""
        return card.filter(
            pl.col("quantity").str.contains(self.quantity),
            pl.col("workload").is_in(self.workloads),
            pl.col("setting").is_in(self.settings),
            pl.col("published") > 0,
            pl.col("reproduced") > 0,
            hardware=HARDWARE,
        )


STRETCHED = tuple(setting for settings in PRESSURE.values() for setting in settings)
PANELS = (
    *(Panel(f"TTFT (s), {name}", r"^ttft_p", (name,), ("main",)) for name in WORKLOADS),
    Panel("speedups", r"^speedup_", WORKLOADS, ("main", *STRETCHED)),
    *(Panel(f"TTFT (s), {name}, pressure", r"^ttft_p", (name,), STRETCHED) for name in WORKLOADS),
    Panel("preemptions of a run", r"^preemptions$", WORKLOADS, STRETCHED),
)


def draw(scorecard: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw the panels of a scorecard and write `out_stem`.svg, .pdf and .png.

    Whiskers are the 95 % prediction interval for one run, hollow points calibrated rows. A panel without a
    number to compare says so. Raises HeadraceError for a scorecard that can't be read.
    """
    card = comparable(read(scorecard[0]))
    shown = [panel.rows(card) for panel in PANELS]
    with drawing(height_in=5.9) as figure:
        panels = figure.subplots(2, 3)
        for axes, panel, rows in zip(panels.flat, PANELS, shown, strict=True):
            axes.set_title(f"{panel.title} ({rows.height})")
            if rows.is_empty():
                axes.set_axis_off()
                axes.text(0.5, 0.5, "no number to compare", ha="center", transform=axes.transAxes)
            else:
                _draw_panel(axes, rows)
        for below in panels[-1]:
            below.set_xlabel("published")
        for left in panels[:, 0]:
            left.set_ylabel("reproduced")
        _legend(figure, pl.concat(shown))
        note(figure, SAYS, f"Numbers: {provenance}.")
        save(figure, out_stem)


def _draw_panel(axes: Axes, rows: pl.DataFrame) -> None:
    values = rows.select("published", "reproduced").to_numpy()
    low, high = float(values.min()) / 1.5, float(values.max()) * 1.5
    ends = np.array([low, high])
    axes.fill_between(ends, ends / (1 + BAND), ends * (1 + BAND), color=BAND_GREY, linewidth=0, zorder=0.5)
    axes.plot(ends, ends, color="0.4", linewidth=0.8, zorder=1)
    for (workload, percentile, role), group in _groups(rows):
        colour = LOOKS[workload].colour
        x, y = group["published"].to_numpy(), group["reproduced"].to_numpy()
        bounds = group.drop_nulls("pi_low").filter(pl.col("pi_high") > 0)
        axes.vlines(
            bounds["published"],
            bounds["pi_low"].clip(lower_bound=low),
            bounds["pi_high"],
            color=colour,
            linewidth=0.5,
            alpha=0.35,
            zorder=2,
        )
        _, marker = PERCENTILES.get(percentile, ("", COUNT_MARKER))
        filled = role == "seen"
        axes.plot(
            x,
            y,
            marker=marker,
            linestyle="none",
            color=colour,
            markersize=3.4 if filled else 4.0,
            markerfacecolor=(colour, 0.55) if filled else "white",
            markeredgewidth=0.4 if filled else 1.0,
            markeredgecolor="white" if filled else colour,
            zorder=3 if filled else 4,
        )
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, box_aspect=1)
    for axis in (axes.xaxis, axes.yaxis):
        decades = np.log10(high / low)
        axis.set_major_locator(LogLocator(10, subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0), numticks=9))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _groups(rows: pl.DataFrame) -> Iterable[tuple[tuple, pl.DataFrame]]:
    named = rows.with_columns(percentile=pl.col("quantity").str.extract(r"_(p\d[\d.]*)").fill_null("count"))
    return named.sort("workload", "percentile", "role").group_by(
        "workload", "percentile", "role", maintain_order=True
    )


def _legend(figure: Figure, rows: pl.DataFrame) -> None:
    plain = {"color": "0.35", "linestyle": "none"}
    handles = {
        label: Line2D([], [], marker=marker, markersize=3.6, **plain)
        for label, marker in PERCENTILES.values()
    }
    handles["count"] = Line2D([], [], marker=COUNT_MARKER, markersize=4.2, **plain)
    for name in sorted(set(rows["workload"]), reverse=True):
        handles[name] = Patch(color=LOOKS[name].colour)
    if "calibrated" in rows["role"]:
        handles["hollow: calibrated"] = Line2D([], [], marker="o", markerfacecolor="white", **plain)
    if rows["pi_low"].is_not_null().any():
        look = {"marker": "|", "markersize": 9, "color": "0.5", "linestyle": "none"}
        handles["95% prediction interval"] = Line2D([], [], **look)
    handles["equal, ±25%"] = (Patch(color=BAND_GREY), Line2D([], [], color="0.4", linewidth=0.8))
    figure.legend(
        list(handles.values()), list(handles), loc="outside upper center", ncols=5, columnspacing=1.6
    )
