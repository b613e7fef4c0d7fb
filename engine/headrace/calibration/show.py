"""The result of a fit as tables, for a terminal or as Markdown."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.tables.markdown import escape, number, percent, table

COLUMNS = {
    "ttft_p50_s": "TTFT P50",
    "ttft_p95_s": "P95",
    "ttft_p99_s": "P99",
    "ttft_p99.9_s": "P99.9",
    "preemptions": "preemptions",
}
NEAR = 0.02
"""Share of the range within which a value is said to be at a bound."""
SLIGHT = 0.02
"""Change of the misfit below which the rows are said not to fix a parameter."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table: the first `labels` columns are texts, the others numbers; `notes` go below it."""

    title: str
    headings: list[str]
    rows: list[list[str]]
    labels: int
    notes: list[str]


def sections(found: dict) -> list[Section]:
    """The tables of a document (`document.read_document`): errors, weights, stages, parameters."""
    return [_cells(found), _weights(found), _workloads(found), _stages(found), _parameters(found)]


def markdown(found: dict) -> str:
    """All tables as Markdown, each with its title in bold."""
    parts = [headline(found)]
    for section in sections(found):
        rows = [[escape(cell) for cell in row] for row in section.rows]
        headings = [escape(heading) for heading in section.headings]
        parts += [f"**{section.title}**", table(headings, rows, section.labels), *map(escape, section.notes)]
    return "\n\n".join(parts) + "\n"


def headline(found: dict) -> str:
    """What was minimised, and by how much it fell."""
    before, after, search = found["loss"]["before"], found["loss"]["after"], found["search"]
    stages = search["stages"]
    asked = sum(stage["evaluations"] for stage in stages)
    times = "1 stage" if len(stages) == 1 else f"{len(stages)} stages"
    return (
        f"Simulated. {search['optimiser']}, {times}, {asked:,} evaluations, seed {search['seed']}:"
        f" loss {before['loss']:.3g} at the start, {after['loss']:.3g} fitted"
        f" ({after['misfit']:.3g} of it misfit, the rest distance from the start)."
    )


def _cells(found: dict) -> Section:
    note = "Relative error of every calibrated row at the start and fitted: (ours - published) / published."
    return _by_cell(found, "Calibrated rows", _change, note)


def _weights(found: dict) -> Section:
    note = (
        "How far a row is luck: standard deviation of its logarithm over draws, at the start, and the weight"
        " that this leaves it."
    )
    return _by_cell(found, "Spread and weight", _weight, note)


def _by_cell(found: dict, title: str, told: Callable[[dict], str], note: str) -> Section:
    """A line per cell, a column per quantity: what is told of the row."""
    cells: dict[str, dict[str, dict]] = {}
    for row in found["rows"]:
        cells.setdefault(_cell(row), {})[row["quantity"]] = row
    shown = [quantity for quantity in COLUMNS if any(quantity in cell for cell in cells.values())]
    rows = [
        [name, *(told(cell[quantity]) if quantity in cell else "" for quantity in shown)]
        for name, cell in cells.items()
    ]
    return Section(title, ["cell", *(COLUMNS[quantity] for quantity in shown)], rows, 1, [note])


def _workloads(found: dict) -> Section:
    rows = [
        [workload, str(of["rows"])]
        + [percent(of[f"{what}_{when}"]) for what in ("median", "p90") for when in ("before", "after")]
        for workload, of in found["summary"].items()
    ]
    headings = ["workload", "rows", "median, start", "fitted", "P90, start", "fitted"]
    return Section("Absolute relative error", headings, rows, 1, [])


def _stages(found: dict) -> Section:
    rows = [
        [
            f"{index}: {stage['of']}",
            stage["stopped"],
            *(f"{count:,}" for count in (len(stage["parameters"]), stage["rows"], stage["evaluations"])),
            *(f"{stage[loss]:.4g}" for loss in ("loss_before", "loss_after")),
        ]
        for index, stage in enumerate(found["search"]["stages"], start=1)
    ]
    headings = ["stage", "stopped by", "values", "rows", "evaluations", "loss, begun", "ended"]
    notes = ["Losses of stages with other rows can't be compared."]
    return Section("Stages", headings, rows, 2, notes)


def _parameters(found: dict) -> Section:
    misfit = found["loss"]["after"]["misfit"]
    rows, bounded, unfixed, falling = [], [], [], []
    for path, keys in found["parameters"].items():
        at_bound = min(keys["position"], 1 - keys["position"]) < NEAR
        changes = [rise(keys[side], misfit) for side in ("moved_down", "moved_up")]
        known = [change for change in changes if change is not None]
        for listed, condition in (
            (bounded, at_bound),
            (unfixed, all(abs(change) < SLIGHT for change in known)),
            (falling, any(change < -SLIGHT for change in known)),
        ):
            if condition:
                listed.append(short(path))
        bounds = f"{_value(keys['low'])} .. {_value(keys['high'])}"
        fitted = _value(keys["fitted"]) + " !" * at_bound
        sides = ["-" if change is None else f"{change:+.0%}" for change in changes]
        rows.append([short(path), _value(keys["start"]), fitted, bounds, *sides])
    notes = [
        "down, up: change of the misfit when the value alone moves by a tenth of the range of its bounds.",
        f"!, at a bound (within {NEAR:.0%} of the range): {', '.join(bounded) or 'none'}.",
        f"Not fixed by the rows (moved either way, the misfit changes by less than {SLIGHT:.0%}):"
        f" {', '.join(unfixed) or 'none'}.",
        f"Could still be improved (moved, the misfit falls by more than {SLIGHT:.0%}; more evaluations,"
        f" or the prior holds it): {', '.join(falling) or 'none'}.",
    ]
    return Section("Parameters", ["value", "start", "fitted", "bounds", "down", "up"], rows, 1, notes)


def short(path: str) -> str:
    """A path without what all of its kind begin with."""
    return path.removeprefix("hardware/").removeprefix("generators/").replace("/overheads/", "/")


def _cell(row: dict) -> str:
    how = "streaming" if row["stream"] else "non-streaming"
    where = "" if row["setting"] == "main" else f" {row['setting']}"
    return f"{row['workload']}{where}, {row['qps']:g} QPS, {how}"


def _change(row: dict) -> str:
    if row["error_before"] is None:
        return f"{number(row['before'])} to {number(row['after'])}"
    return f"{100 * row['error_before']:+.0f} to {100 * row['error_after']:+.0f} %"


def _weight(row: dict) -> str:
    return f"{row['spread']:.3f}, {row['weight']:.2f}"


def rise(moved: dict | None, misfit: float) -> float | None:
    """Relative change of the misfit by `moved_down` or `moved_up`; None where it was not made or served."""
    if moved is None or moved["misfit"] is None or misfit == 0:
        return None
    return moved["misfit"] / misfit - 1


def _value(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
