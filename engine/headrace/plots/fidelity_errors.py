"""How large the errors are: distribution of |relative error|, beside the null baseline and the floor."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter, StrMethodFormatter

from headrace.fidelity import floor as floors
from headrace.fidelity.grid_targets import ERRORS, QUANTILES
from headrace.fidelity.rows import TTFT, WORKLOADS, comparable, main_grid, pressure
from headrace.plots.style import drawing, note, save
from headrace.scorecard.score import read

PERCENT_TICKS = (0.1, 0.3, 1, 3, 10, 30, 100, 300)
LIMITS = (0.1, 500.0)


@dataclass(frozen=True, slots=True)
class Line:
    """How one distribution is drawn; lines differ in grey, too."""

    label: str
    colour: str
    line: str | tuple[float, tuple[float, ...]]
    width: float


OURS = Line("ours, seen rows", "#000000", "-", 1.6)
CALIBRATED = Line("ours, calibrated rows", "#000000", (0, (2, 1.5)), 0.9)
NULL = Line("null baseline, seen rows", "#CC79A7", (0, (6, 1.5)), 1.3)
FLOOR = Line("floor: a perfect model, seen rows", "#0072B2", (0, (1, 1)), 1.5)
LINES = (OURS, CALIBRATED, NULL, FLOOR)
TARGET = {"marker": "<", "color": "#D55E00", "markersize": 5.0}
SAYS = (
    "Share of the numbers whose absolute relative error is at most the value on the axis; TTFT P50, P95 and"
    " P99 in seconds, H200; ours: world 0, the most typical of several draws. Null: a baseline without a"
    " simulator. Floor: a further draw of the workload takes the place of the published run. Errors below"
    " 0.1 % stand at the left edge."
)


def draw(scorecard: list[Path], out_stem: Path, provenance: str, floor: tuple[Path, ...] = ()) -> None:
    """Draw the main grid above memory pressure, a column per workload; write `out_stem`.svg, .pdf, .png.

    Without `floor` its line is left out, and the note says so. Raises HeadraceError for an input that can't
    be read.
    """
    card = comparable(read(scorecard[0]))
    draws = floors.read(floor[0]) if floor else None
    rows: dict[str, Callable] = {"main grid": main_grid, "memory pressure": pressure}
    with drawing(height_in=4.6) as figure:
        panels = figure.subplots(2, len(WORKLOADS), sharex=True, sharey=True)
        shown = set()
        for line, (place, select) in zip(panels, rows.items(), strict=True):
            for axes, workload in zip(line, WORKLOADS, strict=True):
                chosen = select(card, workload).filter(pl.col("quantity").is_in(TTFT))
                shown |= _draw_panel(axes, chosen, draws)
                seen, fitted = (chosen.filter(role=role).height for role in ("seen", "calibrated"))
                axes.set_title(f"{workload}, {place} ({seen} seen, {fitted} calibrated)")
                if select is main_grid:
                    for name, bound in ERRORS[workload].items():
                        _target(axes, 100 * bound, QUANTILES[name])
        _frame(panels)
        _legend(figure, shown)
        missing = [] if draws is not None else ["The floor is left out: its table was not given."]
        note(figure, SAYS, *missing, f"Numbers: {provenance}.")
        save(figure, out_stem)


def _draw_panel(axes: Axes, rows: pl.DataFrame, draws: pl.DataFrame | None) -> set[Line]:
    """Draw what there is of the four distributions; returns their lines."""
    seen = rows.filter(role="seen")
    found = {
        NULL: seen["null_error"],
        FLOOR: floors.errors(draws, seen)["error"],
        CALIBRATED: rows.filter(role="calibrated")["rel_error"],
        OURS: seen["rel_error"],
    }
    drawn = set()
    for look, errors in found.items():
        values = np.sort(100 * errors.drop_nulls().abs().to_numpy())
        if len(values):
            drawn.add(look)
            x = np.concatenate(([LIMITS[0]], values, [LIMITS[1]]))
            y = np.concatenate(([0.0], np.arange(1, len(values) + 1) / len(values), [1.0]))
            style = {"color": look.colour, "linestyle": look.line, "linewidth": look.width}
            axes.step(np.maximum(x, LIMITS[0]), y, where="post", **style)
    return drawn


def _target(axes: Axes, bound: float, share: float) -> None:
    axes.plot([LIMITS[0], bound], [share, share], color=TARGET["color"], linewidth=0.7, zorder=1)
    axes.plot([bound], [share], **TARGET, zorder=4)


def _frame(panels: np.ndarray) -> None:
    axes = panels[0, 0]
    axes.set(xscale="log", xlim=LIMITS, ylim=(0, 1.02))
    axes.xaxis.set_major_locator(FixedLocator(PERCENT_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.yaxis.set_major_locator(FixedLocator((0, 0.25, 0.5, 0.75, 0.9, 1)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    for below in panels[-1]:
        below.set_xlabel("absolute relative error (%)")
    for left in panels[:, 0]:
        left.set_ylabel("share of numbers")


def _legend(figure: Figure, shown: set[Line]) -> None:
    handles = {
        line.label: Line2D([], [], color=line.colour, linestyle=line.line, linewidth=line.width)
        for line in LINES
        if line in shown
    }
    handles["targets at median and P90: pass left of it"] = Line2D([], [], linewidth=0.7, **TARGET)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper center",
        ncols=3,
        handlelength=3.2,
        columnspacing=1.6,
    )
