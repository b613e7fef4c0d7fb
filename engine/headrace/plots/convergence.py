"""How a fit went: the loss by stage and evaluations, and where between their bounds its values ended."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from headrace.calibration.document import parameters_in, read_document
from headrace.calibration.show import SLIGHT, rise, short
from headrace.plots.style import drawing, note, save

COLOUR = "#0072B2"
MEDIAN = {"color": "0.6", "label": "median"}
LOWEST = {"color": COLOUR, "label": "lowest so far"}
BEGUN = {"color": "0.3", "linestyle": ":", "label": "where the stage began"}
ENDED = {"color": COLOUR, "marker": "o", "linestyle": "none", "label": "where it ended"}
OPEN = {"marker": "o", "markerfacecolor": "white", "color": COLOUR, "linestyle": "none"}
ROW_IN = 0.155
"""Height of a parameter's line."""
NOTE = (
    "Left: by stage, median loss of each generation and the lowest so far; stages look at different rows, so"
    " that their losses can't be compared. Right: every value on its scale between its"
    f" bounds. Thick: where the misfit stays within {SLIGHT:.0%} of the fitted when the value alone moves,"
    " tried to a tenth of the range either way: the calibrated rows say little about it."
)


def draw(fit: list[Path], out_stem: Path, provenance: str) -> None:
    """Write `out_stem`.svg, .pdf and .png of the document `fit`."""
    found = read_document(fit[0])
    with drawing(height_in=1.6 + ROW_IN * len(found["parameters"])) as figure:
        losses, values = figure.subplots(1, 2, width_ratios=(4, 5))
        _losses(losses, found)
        _values(values, found)
        search = found["search"]
        text = f"{search['optimiser']}, generations of {search['population']}, seed {search['seed']}."
        stages = "; ".join(f"{index} {stage['of']}" for index, stage in enumerate(search["stages"], start=1))
        note(figure, f"{text} Stages: {stages}. {NOTE}", f"Numbers: {provenance}.")
        save(figure, out_stem)


def _losses(axes: Axes, found: dict) -> None:
    axes.set_yscale("log")
    begun = 0
    for index, stage in enumerate(found["search"]["stages"], start=1):
        generations = stage["generations"]
        evaluations = [begun + generation["evaluations"] for generation in generations]
        ended = evaluations[-1]
        own = {"label": None} if index > 1 else {}
        axes.plot(evaluations, [one["median"] for one in generations], **MEDIAN | own)
        axes.plot(evaluations, [one["best"] for one in generations], **LOWEST | own)
        axes.plot([begun, ended], [stage["loss_before"]] * 2, **BEGUN | own)
        axes.plot([ended], [stage["loss_after"]], **ENDED | own, clip_on=False)
        if index > 1:
            axes.axvline(begun, color="0.5", linewidth=0.6)
        place = {"xy": ((begun + ended) / 2, 1), "xycoords": ("data", "axes fraction")}
        axes.annotate(f"{index}", **place, xytext=(0, 2), textcoords="offset points", ha="center")
        begun = ended
    axes.set_xlim(0, begun)
    for formatted in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
        formatted("{x:g}")
    axes.set_xlabel("evaluations")
    axes.set_ylabel("loss")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.03), ncols=2)


def _values(axes: Axes, found: dict) -> None:
    misfit, names = found["loss"]["after"]["misfit"], []
    for row, parameter in enumerate(reversed(parameters_in(found))):
        keys = found["parameters"][parameter.path]
        start, fitted = parameter.position(keys["start"]), parameter.position(keys["fitted"])
        reach = [fitted]
        for side in ("moved_down", "moved_up"):
            change = rise(keys[side], misfit)
            if change is not None and abs(change) < SLIGHT:
                reach.append(parameter.position(keys[side]["value"]))
        axes.plot([start, fitted], [row, row], color=COLOUR, linewidth=0.8)
        axes.plot([min(reach), max(reach)], [row, row], color=COLOUR, linewidth=3.5, alpha=0.4)
        axes.plot([start], [row], **OPEN)
        axes.plot([fitted], [row], marker="o", color=COLOUR)
        names.append(short(parameter.path))
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([0, 1], ["lowest", "highest"])
    axes.grid(False, axis="y")
    ends = [Line2D([], [], **OPEN), Line2D([], [], marker="o", color=COLOUR, linestyle="none")]
    axes.legend(ends, ["start", "fitted"], loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
