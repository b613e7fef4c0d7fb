"""Figure 4: what it costs to compute a preempted request's tokens again, and to swap their KV cache."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from headrace.errors import HeadraceError
from headrace.perf import PerfModel
from headrace.plots.latencies import (
    COPY_PER_BLOCK,
    HARDWARE_ALONE,
    IN_THE_ENGINE,
    RECOMPUTE,
    SWAP,
    WITH_SOFTWARE,
    Comparison,
    Latency,
    comparisons,
)
from headrace.plots.style import drawing, note, save

COLOURS = {RECOMPUTE: "#882255", SWAP: "#56B4E9"}
MARKERS = {RECOMPUTE: "o", SWAP: "s"}
LABELS = {RECOMPUTE: "recompute", SWAP: "swap, in + out"}
LINES = {
    HARDWARE_ALONE: "-",
    IN_THE_ENGINE: "-",
    WITH_SOFTWARE: (0, (5, 1.5)),
    COPY_PER_BLOCK: (0, (1.5, 1)),
}
CROSSING = {"marker": "*", "color": "black", "linestyle": "none", "markersize": 7, "zorder": 6}
TICK_TOKENS = [16, 128, 1024, 8192, 65536]
NAMED_FROM = 0.25
"""Share of the axis from which a part of a strip has room for its name."""


@dataclass(frozen=True, slots=True)
class Row:
    """A performance model's comparison, and how it is drawn."""

    model: PerfModel
    comparison: Comparison

    @property
    def measured(self) -> bool:
        """Whether somebody timed the whole operation on this GPU."""
        return self.model.provider in ("profiled", "published", "vllm")


def draw(
    perf_models: list[Path],
    out_stem: Path,
    provenance: str,
    overheads: Mapping[str, Mapping[str, float]],
    token_budget: int,
    block_size: int,
) -> None:
    """Draw recompute and swap latency against tokens, a panel per GPU and tensor-parallel size.

    Points are means of the models' tables, open where they were measured; lines are degree-2 fits. Stars
    mark where the two are equal; the strip below says which is cheaper. `overheads`: per hardware, as in
    config/hardware.yaml; a recomputation takes steps of `token_budget` tokens, a block holds `block_size`.
    Models of one GPU and size share a panel. Writes `out_stem`.svg, .pdf and .png. Raises HeadraceError
    for no model, and for what `PerfModel.load` and `comparisons` refuse.
    """
    panels = _panels(perf_models, overheads, token_budget, block_size)
    shown = [row for rows in panels.values() for row in rows]
    most = max(map(len, panels.values()))
    with drawing(height_in=3.3 + 0.2 * most) as figure:
        ratios = (11, most)
        curves, strips = figure.subplots(2, len(panels), sharex=True, squeeze=False, height_ratios=ratios)
        for axes, strip, (title, rows) in zip(curves, strips, panels.items(), strict=True):
            axes.set_title(title)
            if axes is not curves[0]:
                axes.sharey(curves[0])
            for row in rows:
                _lines(axes, row)
            _strip(strip, rows)
            strip.set_ylim(most - 0.5, -0.5)
        _frame(curves, strips, shown)
        _legend(figure, shown)
        software = _software(shown, overheads, token_budget, block_size)
        note(figure, *_sources(shown), _reading(shown), software, f"Numbers: {provenance}.")
        save(figure, out_stem)


def _panels(
    files: list[Path], overheads: Mapping, token_budget: int, block_size: int
) -> dict[str, list[Row]]:
    panels: dict[str, list[Row]] = {}
    for file in files:
        model = PerfModel.load(file)
        rows = panels.setdefault(_title(model), [])
        given = overheads.get(model.hardware)
        rows += [Row(model, each) for each in comparisons(model, given, token_budget, block_size)]
    if not panels:
        raise HeadraceError("figure", "no performance model is given", "give the file of one or more")
    return panels


def _lines(axes: Axes, row: Row) -> None:
    comparison = row.comparison
    for what, latency in ((RECOMPUTE, comparison.recompute), (SWAP, comparison.swap)):
        if comparison.name == COPY_PER_BLOCK and what == RECOMPUTE:
            continue  # the same pass as beside one copy
        colour = COLOURS[what]
        n = np.geomspace(comparison.first_tokens, comparison.last_tokens, 241)
        seconds = latency.fit(n)
        line = {"linestyle": LINES[comparison.name], "linewidth": 0.9 if row.measured else 1.3}
        axes.plot(n, np.where(seconds > 0, seconds, np.nan), color=colour, **line)
        _points(axes, latency, colour, MARKERS[what], row.measured)
    for n in comparison.crossings():
        seconds = comparison.swap.fit(n)
        axes.plot([n], [seconds], **CROSSING)
        above, below = {"xytext": (-5, 6), "ha": "right"}, {"xytext": (5, -9)}
        where = above if row.measured or n > comparison.last_tokens / 4 else below
        axes.annotate(_rounded(n), (n, seconds), textcoords="offset points", fontsize=6.5, **where)


def _points(axes: Axes, latency: Latency, colour: str, marker: str, measured: bool) -> None:
    if not latency.tokens:
        return
    low, high = (np.array([pick(each) for each in latency.repeats_s]) for pick in (min, max))
    axes.vlines(latency.tokens, low, high, color=colour, linewidth=1.0)
    look = {"markerfacecolor": "white" if measured else colour, "markersize": 3.4, "linestyle": "none"}
    axes.plot(latency.tokens, latency.means_s(), marker=marker, color=colour, **look)


def _frame(curves: Sequence[Axes], strips: Sequence[Axes], shown: list[Row]) -> None:
    curves[0].set_ylabel("latency (s)")
    curves[0].set_xscale("log", base=2)
    first = min(row.comparison.first_tokens for row in shown)
    curves[0].set_xlim(first / 1.3, max(row.comparison.last_tokens for row in shown) * 1.3)
    for axes in curves:
        axes.set_yscale("log")
        axes.tick_params(which="minor", left=False)
    named = [[label.get_text() for label in strip.get_yticklabels()] for strip in strips]
    for strip in strips:
        strip.tick_params(labelleft=strip is strips[0] or any(names != named[0] for names in named))
        strip.set_xlabel("tokens")
        strip.xaxis.set_major_locator(FixedLocator(TICK_TOKENS))
        strip.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        strip.xaxis.set_minor_locator(NullLocator())


def _strip(axes: Axes, rows: list[Row]) -> None:
    for place, row in enumerate(rows):
        whole = np.log(row.comparison.last_tokens / row.comparison.first_tokens)
        for low, high, what in row.comparison.cheaper():
            axes.barh(place, high - low, left=low, height=0.8, color=COLOURS[what], alpha=0.4)
            if np.log(high / low) > NAMED_FROM * whole:
                centre = {"ha": "center", "va": "center_baseline", "fontsize": 6.5}
                axes.text(np.sqrt(low * high), place, what, **centre)
    providers = {row.model.provider for row in rows}
    named = [row.comparison.name + f", {row.model.provider}" * (len(providers) > 1) for row in rows]
    axes.set_yticks(range(len(rows)), named)
    axes.set_title("cheaper:", loc="left", fontsize=7.0, pad=2.0)
    axes.grid(False)
    axes.tick_params(left=False)
    axes.spines["left"].set_visible(False)


def _legend(figure: Figure, shown: list[Row]) -> None:
    handles: dict[str, Line2D] = {
        LABELS[what]: Line2D([], [], color=COLOURS[what], marker=MARKERS[what]) for what in (RECOMPUTE, SWAP)
    }
    for row in shown:
        line = {"linestyle": LINES[row.comparison.name], "linewidth": 0.9 if row.measured else 1.3}
        handles.setdefault(row.comparison.name, Line2D([], [], color="0.3", **line))
    if any(row.measured for row in shown):
        look = {"marker": "o", "markerfacecolor": "white", "linestyle": "none"}
        handles["measured"] = Line2D([], [], color="0.3", **look)
    if any(row.comparison.crossings() for row in shown):
        handles["equal (tokens)"] = Line2D([], [], **CROSSING)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper center",
        ncols=5,
        handlelength=3.2,
        columnspacing=1.6,
    )


def _sources(shown: list[Row]) -> list[str]:
    """A line per performance model: where it stands, its provider, and how its tables were made."""
    lines = [
        f"{_title(row.model)}, {row.model.model}: {row.model.provider} ({row.model.provenance['how']})."
        for row in shown
    ]
    return list(dict.fromkeys(lines))


def _reading(shown: list[Row]) -> str:
    latencies = [latency for row in shown for latency in (row.comparison.recompute, row.comparison.swap)]
    most = max(len(repeats) for latency in latencies for repeats in latency.repeats_s)
    spread = f"; whiskers: fastest to slowest of up to {most} repeats" if most > 1 else ""
    worst = math.floor(min(latency.fit.r2 for latency in latencies) * 1000) / 1000
    miss = max(latency.largest_miss() for latency in latencies)
    fits = (
        f"degree-2 fits, as in cost-based eviction: R2 at least {worst:g}, a point missed by up to {miss:.0%}"
    )
    return f"Points: means{spread}. Lines: {fits}."


def _software(shown: list[Row], overheads: Mapping, token_budget: int, block_size: int) -> str:
    """What "with software" adds, per hardware."""
    added: dict[str, list[str]] = {}
    for row in shown:
        if row.comparison.name == WITH_SOFTWARE:
            given = overheads[row.model.hardware]
            text = f"{given['step_s']:g} s per step of {token_budget:,} tokens, "
            text += f"{given['swap_block_s']:g} s per block of {block_size} tokens and direction"
            added.setdefault(text, []).append(row.model.hardware)
    each = "; ".join(f"{text} ({', '.join(dict.fromkeys(names))})" for text, names in added.items())
    return f"With software: {each}." if each else ""


def _title(model: PerfModel) -> str:
    return f"{model.gpu}, TP{model.tensor_parallel}"


def _rounded(tokens: float) -> str:
    """Three significant digits: no fit knows more."""
    return f"{float(f'{tokens:.3g}'):,.0f}"
