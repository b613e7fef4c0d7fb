"""How far the main claims move when an assumption does: a tornado per claim."""

import math
from pathlib import Path
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from headrace.plots.style import NOTE_GREY, drawing, note, save
from headrace.variants.effects import Effect, Moved, Watched, watched_claims

SHOWN = 10
"""Assumptions per claim that have bars; the others are summed up."""
LOOKS = {"lower": ("#56B4E9", 0.19), "higher": ("#882255", -0.19)}
"""Colour, and place beside the middle of the row: dark and light in grey, too."""
CUT_HATCH = "//////"
WORLDS = {"color": "0.92", "linewidth": 0}
PUBLISHED = {"color": "0.35", "linestyle": (0, (4, 1.5)), "linewidth": 1.1}
TICKS = (1, 1.5, 2, 3, 5, 7)
COLUMNS = 2
TITLE_COLUMNS, TITLE_LEFT = 44, -0.4
"""Titles begin above the names of the assumptions, left of the axes (in their widths)."""


def draw(
    outcomes: list[Path],
    reference: list[Path],
    definition: dict,
    hardware: str,
    out_stem: Path,
    provenance: str,
) -> None:
    """Draw each claim with nothing moved (a line; a band: its worlds) and each assumption moved (bars).

    Inputs as of `headrace.tables.sensitivity.write`. The assumptions with the largest effect have bars, the
    others a line of text. Writes `out_stem`.svg, .pdf and .png. Raises HeadraceError as `watched_claims`.
    """
    watched = watched_claims(outcomes, reference, definition, hardware)
    columns = min(COLUMNS, len(watched))
    rows = math.ceil(len(watched) / columns)
    heights = [
        max(_rows(each) for each in watched[start : start + columns])
        for start in range(0, len(watched), columns)
    ]
    with drawing(height_in=1.2 + sum(0.72 + 0.135 * height for height in heights)) as figure:
        panels = figure.subplots(rows, columns, squeeze=False, height_ratios=[4 + each for each in heights])
        for axes, each in zip(panels.flat, watched, strict=False):
            _panel(axes, each)
        for axes in panels.flat[len(watched) :]:
            axes.set_axis_off()
        _legend(figure, watched, definition["change"])
        note(figure, _says(definition), *_unmoved(watched), f"{hardware}; {provenance}.")
        save(figure, out_stem)


def _rows(each: Watched) -> int:
    return min(SHOWN, len(_moving(each))) + (len(_moving(each)) > SHOWN)


def _moving(each: Watched) -> list[Effect]:
    return [effect for effect in each.effects if effect.size > 0]


def _panel(axes: Axes, each: Watched) -> None:
    shown, others = _moving(each)[:SHOWN], _moving(each)[SHOWN:]
    for place, effect in enumerate(shown):
        for way, moved in (("lower", effect.lower), ("higher", effect.higher)):
            _bar(axes, each.value, place, way, moved)
    names = [effect.assumption.label for effect in shown]
    if others:
        names.append(_rest(each, others))
    if len(each.worlds) > 1:
        axes.axvspan(min(each.worlds), max(each.worlds), **WORLDS, zorder=0)
    axes.axvline(each.value, color="black", linewidth=0.9, zorder=3)
    if each.published is not None:
        axes.axvline(each.published, **PUBLISHED, zorder=2)
    axes.set_yticks(range(len(names)), names)
    if others:
        axes.get_yticklabels()[-1].set_color(NOTE_GREY)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", left=False, pad=2)
    axes.grid(False, axis="y")
    lines = each.claim.title.replace(": ", ":\n").splitlines()
    title = "\n".join(fill(line, TITLE_COLUMNS, break_on_hyphens=False) for line in lines)
    axes.set_title(title, loc="left", x=TITLE_LEFT)
    _value_axis(axes, each)


def _bar(axes: Axes, base: float, place: int, way: str, moved: Moved) -> None:
    if moved.value is None or moved.value == base:
        return
    colour, aside = LOOKS[way]
    look = {"color": colour, "linewidth": 0}
    if moved.cut:
        look = {"facecolor": "white", "edgecolor": colour, "hatch": CUT_HATCH, "linewidth": 0.6}
    axes.barh(place - aside, moved.value - base, left=base, height=0.36, zorder=2.5, **look)


def _rest(each: Watched, others: list[Effect]) -> str:
    most = max(effect.size for effect in others)
    noun = "other" if len(others) == 1 else "others"
    if each.claim.is_share:
        return f"{len(others)} {noun} within ±{100 * most:.2g} points"
    return f"{len(others)} {noun} within ±{100 * math.expm1(most):.2g} %"


def _value_axis(axes: Axes, each: Watched) -> None:
    values = [*each.worlds, *([] if each.published is None else [each.published])]
    values += [
        way.value
        for effect in _moving(each)[:SHOWN]
        for way in (effect.lower, effect.higher)
        if way.value is not None
    ]
    low, high = min(values), max(values)
    if each.claim.is_share:
        room = 0.06 * (high - low) or 0.01
        axes.set_xlim(max(low - room, 0 if low > 0 else -room), high + room)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        axes.set_xlabel("share")
        return
    room = (high / low) ** 0.06 if high > low else 1.05
    axes.set_xscale("log")
    axes.set_xlim(low / room, high * room)
    axes.xaxis.set_major_locator(FixedLocator(_ticks(low / room, high * room)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("ratio" if each.claim.over else each.claim.quantity)


def _ticks(low: float, high: float) -> list[float]:
    """Round values on a log axis: at least three of them, at most seven."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    round_values = [step * 10.0**decade for decade in decades for step in TICKS]
    inside = [value for value in round_values if low <= value <= high]
    if len(inside) >= 3:
        return inside[:: math.ceil(len(inside) / 7)]
    step = 10.0 ** math.floor(math.log10(high - low))
    step = next(size for size in (step, step / 2, step / 5) if (high - low) / size >= 3)
    return [float(f"{value:.6g}") for value in np.arange(math.ceil(low / step), high / step) * step]


def _legend(figure: Figure, watched: list[Watched], share: float) -> None:
    handles: dict = {
        f"{share:.0%} lower": Patch(color=LOOKS["lower"][0], linewidth=0),
        f"{share:.0%} higher": Patch(color=LOOKS["higher"][0], linewidth=0),
    }
    if any(way.cut for each in watched for effect in each.effects for way in (effect.lower, effect.higher)):
        look = {"facecolor": "white", "edgecolor": "0.35", "hatch": CUT_HATCH, "linewidth": 0.6}
        handles["stopped at its limit"] = Patch(**look)
    handles["nothing moved"] = Line2D([], [], color="black", linewidth=0.9)
    if any(len(each.worlds) > 1 for each in watched):
        handles["its worlds"] = Patch(**WORLDS)
    if any(each.published is not None for each in watched):
        handles["published"] = Line2D([], [], **PUBLISHED)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper center",
        ncols=len(handles),
        handlelength=2.2,
        columnspacing=1.2,
    )


def _says(definition: dict) -> str:
    worlds = ", ".join(f"{name} {number}" for name, number in definition["worlds"].items())
    return (
        f"Each assumption alone, by {definition['change']:.0%} of its value; medians over worlds ({worlds})"
        " with the published arrivals and the same random numbers whatever moves. Axes are logarithmic, that"
        f" of a share is linear. The {SHOWN} largest effects of a claim are drawn; the table has all."
    )


def _unmoved(watched: list[Watched]) -> list[str]:
    """Assumptions that are 0, so that a share of them is nothing, and the workloads of their claims."""
    found: dict[str, set[str]] = {}
    for each in watched:
        for effect in each.effects:
            if not any(float(value) for value in effect.higher.moved_to.split()):
                found.setdefault(effect.assumption.label, set()).update(each.claim.workloads)
    names = [f"{label} ({', '.join(sorted(workloads))})" for label, workloads in found.items()]
    return [f"0, so not moved: {', '.join(names)}."] if names else []
