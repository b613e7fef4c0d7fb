"""The targets of the simulator: met or missed, beside the null baseline and the floor."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.fidelity import floor as floors
from headrace.fidelity import parity as parities
from headrace.fidelity.targets import Target, targets
from headrace.files import read_text, write_text
from headrace.scorecard.score import read
from headrace.tables.markdown import NONE, escape, heading, percent, table

TITLE = "Targets"
ABOUT = (
    "World 0, the most typical of several draws of the prompts, against the published numbers, H200. Rows"
    " that a fit may look at, rows that a generator was told and excluded rows are not counted. *Null* is a"
    " baseline without a simulator. *Floor* is what a perfect model would show, since a published number is"
    " one run with its own prompts: the median over draws of the workload, in brackets the least and the"
    " most."
)
COLUMNS = (
    *("target", "workload", "status", "value", "direction", "bound", "rows", "right"),
    *("null", "floor_low", "floor", "floor_high", "how", "misses"),
)
HEADINGS = ("target", "workload", "result", "ours", "wanted", "null", "floor")


def write(
    scorecard: list[Path],
    out_stem: Path,
    provenance: str,
    floor: Iterable[Path] = (),
    parity: Iterable[Path] = (),
) -> None:
    """Write `out_stem`.csv and `out_stem`.md; floor and parity are tables of `variants`, both optional.

    Raises HeadraceError for every fault of an input.
    """
    found = targets(
        read(scorecard[0]),
        next((floors.read(path) for path in floor), None),
        next((parities.read(path) for path in parity), None),
    )
    page = [
        f"# {TITLE}",
        escape(f"{provenance[0].upper()}{provenance[1:]}."),
        ABOUT,
        f"**{counted(found)}**",
        targets_table(found),
        *heading("What missed", [misses_list(found)]),
        *heading("For comparison", [comparison_table(found)]),
        *heading("How each is computed", [how_list(found)]),
    ]
    write_text(out_stem.with_suffix(".csv"), _csv(found))
    write_text(out_stem.with_suffix(".md"), "\n\n".join(page) + "\n")


def counted(found: list[Target]) -> str:
    """How many targets are met, in words; those that could not be computed are named apart."""
    return _counted([target.status for target in found])


def counted_in(path: Path) -> str:
    """The same of a CSV file that `write` wrote. Raises HeadraceError for another file."""
    rows = csv.DictReader(read_text(path).splitlines())
    if tuple(rows.fieldnames or ()) != COLUMNS:
        raise HeadraceError(path, "is no table of targets", "make it again: snakemake stream2llm_targets")
    return _counted([row["status"] for row in rows])


def targets_table(found: list[Target]) -> str:
    """Markdown: one line per target, met or missed in words."""
    return table(HEADINGS, [_line(target) for target in found if target.bound is not None], labels=3)


def comparison_table(found: list[Target]) -> str:
    """Markdown: the lines that are no target; empty where there is none."""
    others = [target for target in found if target.bound is None and target.value is not None]
    if not others:
        return ""
    body = [[escape(target.name), target.workload, escape(target.how), _value(target)] for target in others]
    return table(("what, no target", "workload", "of what", "ours"), body, labels=3)


def misses_list(found: list[Target]) -> str:
    """Markdown: the rows that a missed target misses; empty where there is none."""
    lines = []
    for target in found:
        if target.met is False and target.misses:
            lines.append(f"- {escape(target.name)}, {target.workload}:")
            lines += [f"  - {escape(miss)}" for miss in target.misses]
    return "\n".join(lines)


def how_list(found: list[Target]) -> str:
    """Markdown: how each target is computed, once where both workloads share it."""
    told: dict[tuple[str, str], list[str]] = {}
    for target in found:
        if target.bound is not None:
            told.setdefault((target.name, target.how), []).append(target.workload)
    names = [name for name, _ in told]
    return "\n".join(
        f"- **{escape(name)}{f', {workloads[0]}' * (names.count(name) > 1)}**: {escape(how)}."
        for (name, how), workloads in told.items()
    )


def _counted(statuses: list[str]) -> str:
    judged = [status for status in statuses if status in ("met", "missed")]
    unknown = statuses.count("not computed")
    text = f"Targets met: {judged.count('met')} of {len(judged)}"
    return f"{text}; {unknown} not computed" if unknown else text


def _line(target: Target) -> list[str]:
    wanted = f"{'at least' if target.at_least else 'at most'} {percent(target.bound)}"
    if target.at_least and target.bound == 1.0:
        wanted = "all"
    status = f"**{target.status}**" if target.met is False else target.status
    return [
        *(escape(target.name), target.workload, status, _value(target), wanted),
        *(percent(target.null), _floor(target)),
    ]


def _value(target: Target) -> str:
    if target.value is None:
        return NONE
    if target.right is not None:
        return f"{target.right} of {target.rows} ({percent(target.value)})"
    return percent(target.value)


def _floor(target: Target) -> str:
    if target.floor is None:
        return NONE
    low, middle, high = (
        percent(value) for value in (target.floor.low, target.floor.middle, target.floor.high)
    )
    return f"{middle} [{low}..{high}]"


def _csv(found: list[Target]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for target in found:
        spread = target.floor
        writer.writerow(
            [
                *(target.name, target.workload, target.status, _field(target.value)),
                *("at least" if target.at_least else "at most", _field(target.bound), target.rows),
                *("" if target.right is None else target.right, _field(target.null)),
                *map(_field, (spread.low, spread.middle, spread.high) if spread else (None, None, None)),
                *(target.how, "; ".join(target.misses)),
            ]
        )
    return text.getvalue()


def _field(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
