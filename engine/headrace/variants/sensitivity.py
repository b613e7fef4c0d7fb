"""How far the claims of a study move when one of its assumptions does."""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from headrace.axes import Axes
from headrace.errors import HeadraceError, nearest
from headrace.files import write_text
from headrace.scorecard.csv_rows import read_rows
from headrace.trial import Trial, changed
from headrace.variants.definition import BASELINE, Assumption, Claim, movable
from headrace.variants.moves import Move, moved
from headrace.workload.progress import progress_bar

DIRECTIONS = (BASELINE, "lower", "higher")
COLUMNS = ("claim", "assumption", "direction", "world", "value", "moved_to", "cut")
KEY = ("claim", "assumption", "direction", "world")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a claim came to in one world, with an assumption moved or with nothing moved (`BASELINE`)."""

    claim: str
    assumption: str
    direction: str
    world: int
    value: float | None
    """None where a quantity does not exist: the share of swaps when nothing was preempted."""
    moved_to: str = ""
    cut: bool = False


def write_sensitivity(
    config: dict, study: str, hardware: str, definition: dict, name: str, out: Path, progress: bool = True
) -> None:
    """Write the claims with the assumption `name` moved down and up to `out`, a CSV file (`COLUMNS`).

    The name `BASELINE` moves nothing. config: the configuration; definition: its key variants.<study>.
    sensitivity. A world has the same draws whatever moves, and the published arrivals. Claims that the
    assumption can't touch, and those of a workload that is not generated, are left out.

    Raises HeadraceError for an unknown assumption, and as `Trial` does.
    """
    claims, assumptions = movable(definition, hardware, generated(config))
    moves: dict[str, Move] = {BASELINE: Move({}, False)}
    if name != BASELINE:
        assumption = _named(assumptions, name)
        claims = [claim for claim in claims if assumption.touches(claim)]
        factors = {"lower": 1 - definition["change"], "higher": 1 + definition["change"]}
        moves = {way: moved(config, study, assumption, factor) for way, factor in factors.items()}
    outcomes: list[Outcome] = []
    models: dict = {}
    cells = {tuple(cell.items()) for claim in claims for cell in claim.cells}
    with progress_bar(f"sensitivity: {name}", len(moves) * len(cells), progress) as advance:
        for way, move in moves.items():
            trial = Trial(changed(config, move.values), study, models=models)
            metrics: dict[tuple, pl.DataFrame] = {}
            for claim in claims:
                for cell in claim.cells:
                    if tuple(cell.items()) not in metrics:
                        worlds = _worlds(definition, cell)
                        metrics[tuple(cell.items())] = trial.metrics(cell, worlds)
                        advance()
                values = claim_values(claim, metrics)
                outcomes += [
                    Outcome(claim.name, name, way, world, values.get(world), move.said, move.cut)
                    for world in _worlds(definition, claim.cell)
                ]
    write_text(out, _csv(outcomes))


def generated(config: dict) -> set[str]:
    """The workloads that a generator draws."""
    return {name for name, workload in config["workloads"].items() if workload["source"] == "synthetic"}


def claim_values(claim: Claim, metrics: dict[tuple, pl.DataFrame]) -> dict[int, float]:
    """The claim by world, from the metrics of its cells (by the items of their axes).

    A world in which one of the quantities does not exist has no value.
    """
    values = _by_world(metrics, claim.cell, claim.quantity)
    if claim.over is None:
        return values
    base = _by_world(metrics, claim.over, claim.quantity)
    return {world: value / base[world] for world, value in values.items() if base.get(world)}


def read_sensitivity(files: Iterable[Path]) -> list[Outcome]:
    """What `write_sensitivity` wrote, in the order of the files. Raises HeadraceError for a fault in one."""
    found = []
    for file in files:
        for row in read_rows(file, COLUMNS, KEY, "make it again: snakemake stream2llm_sensitivity"):
            texts = row.fields
            found.append(
                Outcome(
                    texts["claim"],
                    texts["assumption"],
                    row.known("direction", DIRECTIONS),
                    int(row.number("world", zero=True)),
                    row.number("value", zero=True) if texts["value"] else None,
                    texts["moved_to"],
                    row.known("cut", ("true", "false")) == "true",
                )
            )
    return found


def _named(assumptions: list[Assumption], name: str) -> Assumption:
    for assumption in assumptions:
        if assumption.name == name:
            return assumption
    known = [assumption.name for assumption in assumptions]
    raise HeadraceError("sensitivity", f"no assumption {name!r} touches a claim", nearest(name, known))


def _worlds(definition: dict, cell: Axes) -> range:
    """From 1 on: world 0 is the most typical of several draws, and another one when a generator changes."""
    return range(1, definition["worlds"][cell["workload"]] + 1)


def _by_world(metrics: dict[tuple, pl.DataFrame], cell: Axes, quantity: str) -> dict[int, float]:
    rows = metrics[tuple(cell.items())].filter(quantity=quantity)
    return dict(zip(rows["world"].to_list(), rows["value"].to_list(), strict=True))


def _csv(outcomes: list[Outcome]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in outcomes:
        cut = str(one.cut).lower()
        value = "" if one.value is None else f"{one.value:.6g}"
        writer.writerow([one.claim, one.assumption, one.direction, one.world, value, one.moved_to, cut])
    return text.getvalue()
