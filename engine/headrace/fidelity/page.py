"""The fidelity page: targets, figures, errors, the worst rows and why, what was tried; as Markdown."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from headrace.fidelity import floor as floors
from headrace.fidelity import parity as parities
from headrace.fidelity.calibrated import calibration_tables
from headrace.fidelity.groups import group_tables
from headrace.fidelity.rows import WORKLOADS, cell_name
from headrace.fidelity.targets import targets
from headrace.fidelity.worst import UNEXPLAINED, Explained, check, worst_rows
from headrace.files import read_text, write_text
from headrace.scorecard.reference import read_reference
from headrace.scorecard.score import read
from headrace.tables import targets as told
from headrace.tables.markdown import NONE, captioned, escape, heading, number, signed_percent, table

MADE_BY = "<!-- Made by the rule fidelity_page; docs/fidelity.md is a copy of it, by make pictures. -->"
TITLE = "Fidelity: how well the simulator predicts the published numbers"
STATEMENT = (
    "**What is simulated.** Every number of ours here: an engine on a virtual clock served generated"
    " prompts, no GPU did. The published numbers are the study's, each from one run on real GPUs. Errors are"
    " relative to the published number; *null* is a baseline without a simulator, *floor* what a perfect"
    " model would show with other prompts of the same statistics, *inside* the share of published numbers in"
    " our 95 % prediction interval."
)
FIGURES = {
    "fidelity": "Published against reproduced, log-log, by artifact and percentile; hollow: calibrated",
    "fidelity_errors": "Share of numbers by absolute relative error: ours, null, floor, calibrated apart",
}
SECOND_CHECK = (
    "Stream2LLM is one study. What will stand here is another system: 300 requests that vLLM served on one"
    " RTX 4090, replayed request by request against their measured times. These requests generate many"
    " tokens, so the simulator needs decode first, which it does not have. There is no number yet."
)
HEADINGS = ("row", "quantity", "why", "published", "ours", "95% interval", "error", "null")


@dataclass(slots=True)
class Sources:
    """The files behind a page. What is None is not there: the page says what would make it."""

    scorecard: Path
    reference: Path
    """Folder of the published numbers."""
    floor: Path | None = None
    parity: Path | None = None
    calibration: Path | None = None
    """The result of a fit."""
    tried: Path | None = None
    """What was tried, as Markdown; its first heading is left out."""
    figures: dict[str, str] = field(default_factory=dict)
    """Name of a figure to the link that the page makes to it."""


def write_page(sources: Sources, explanations: Sequence[Mapping], provenance: str, out: Path) -> None:
    """Write the page; byte-identical for the same files. Raises HeadraceError for every fault of an input."""
    card = read(sources.scorecard)
    check(explanations, read_reference(sources.reference))
    floor = floors.read(sources.floor) if sources.floor else None
    parity = parities.read(sources.parity) if sources.parity else None
    found = targets(card, floor, parity)
    page = [
        MADE_BY,
        f"# {TITLE}",
        escape(f"{provenance[0].upper()}{provenance[1:]}."),
        STATEMENT,
        *heading("Targets", [f"**{told.counted(found)}**", told.ABOUT, told.targets_table(found)]),
        *_missing(sources),
        *heading("Published against reproduced", [_figure(sources, "fidelity")]),
        *heading("Errors", [_figure(sources, "fidelity_errors"), *group_tables(card, floor)]),
        *heading("Calibration", _calibration(sources.calibration)),
        *heading("Worst rows", _worst(card, explanations)),
        *heading("Rows behind the missed targets", [told.misses_list(found)]),
        *heading("For comparison", [told.comparison_table(found)]),
        *heading("How each target is computed", [told.how_list(found)]),
        *heading("What was tried and did not help", [_tried(sources.tried)]),
        *heading("A second, independent check", [SECOND_CHECK]),
    ]
    write_text(out, "\n\n".join(page) + "\n")


def _missing(sources: Sources) -> list[str]:
    lines = {
        "The floor is not there: `snakemake floor` makes it.": sources.floor,
        "Parity is not there: `snakemake parity` makes it.": sources.parity,
    }
    return [line for line, path in lines.items() if path is None]


def _figure(sources: Sources, name: str) -> str:
    if name not in sources.figures:
        return f"The figure is not there: `snakemake stream2llm_{name}` draws it."
    return f"![{FIGURES[name]}]({sources.figures[name]})"


def _calibration(path: Path | None) -> list[str]:
    if path is None:
        return ["No fit has been adopted: `make calibrate` makes one."]
    return calibration_tables(path)


def _tried(path: Path | None) -> str:
    if path is None:
        return "There is no list."
    text = re.sub(r"\A\s*# .*\n", "", read_text(path)).strip()
    return re.sub(r"^#", "##", text, flags=re.M)


def _worst(card: pl.DataFrame, explanations: Sequence[Mapping]) -> list[str]:
    """A table per workload, then the explanations, numbered as the tables name them."""
    parts = [
        "The seen rows that are farthest off, without speedups, which restate seconds. *Why* is the"
        " number of an explanation below."
    ]
    rows = {workload: worst_rows(card, explanations, workload) for workload in WORKLOADS}
    numbers: dict[str, int] = {}
    for found in rows.values():
        for explained in found:
            if explained.why is not None:
                numbers.setdefault(explained.why, len(numbers) + 1)
    for workload, found in rows.items():
        body = [_worst_line(explained, numbers) for explained in found]
        parts.append(captioned(workload, table(HEADINGS, body, labels=3)) if body else "")
    parts.append("\n".join(f"{place}. {escape(why)}" for why, place in numbers.items()))
    return parts


def _worst_line(explained: Explained, numbers: dict[str, int]) -> list[str]:
    row, why = explained.row, explained.why
    low, high = row["pi_low"], row["pi_high"]
    return [
        escape(cell_name(row)),
        f"`{row['quantity']}`",
        UNEXPLAINED if why is None else str(numbers[why]),
        number(row["published"]),
        number(row["reproduced"]),
        NONE if low is None else f"{number(low)}..{number(high)}",
        signed_percent(row["rel_error"]),
        NONE if row["null_error"] is None else signed_percent(row["null_error"]),
    ]
