"""Every claim with every assumption that was moved: medians over the worlds, the largest effect first."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from headrace.axes import Axes
from headrace.errors import HeadraceError
from headrace.scorecard.reference import read_reference
from headrace.variants.definition import BASELINE, Assumption, Claim
from headrace.variants.sensitivity import Outcome, read_sensitivity


@dataclass(frozen=True, slots=True)
class Moved:
    """A claim with an assumption moved one way; `value` is None where the claim does not exist then."""

    value: float | None
    moved_to: str
    cut: bool


@dataclass(frozen=True, slots=True)
class Effect:
    """A claim with one assumption moved down and up; size: the larger change, by `change`, without sign."""

    assumption: Assumption
    lower: Moved
    higher: Moved
    size: float


@dataclass(frozen=True, slots=True)
class Watched:
    """A claim: its value with nothing moved, by world and as the median, the published one, the effects."""

    claim: Claim
    worlds: tuple[float, ...]
    published: float | None
    effects: tuple[Effect, ...]

    @property
    def value(self) -> float:
        return statistics.median(self.worlds)

    def change(self, value: float | None) -> float | None:
        """From the value with nothing moved: a relative change, of a share in points (0.01 = one point)."""
        return change(self.claim, self.value, value)


def change(claim: Claim, base: float, value: float | None) -> float | None:
    """How far `value` is from `base`: relative, of a share as their difference; None for no value."""
    if value is None or (base == 0 and not claim.is_share):
        return None
    return value - base if claim.is_share else value / base - 1


def watched_claims(
    outcomes: list[Path], reference: list[Path], definition: dict, hardware: str
) -> list[Watched]:
    """The claims of `definition` (variants.<study>.sensitivity) that the files `outcomes` hold, in its order.

    reference: files of the folder of published numbers. Effects are sorted by size, largest first.
    Raises HeadraceError for a fault of a file, and when no claim is there.
    """
    rows = read_sensitivity(outcomes)
    if not reference:
        raise HeadraceError(
            "sensitivity", "no published numbers are given", "name the files of data/reference"
        )
    published = read_reference(reference[0].parent)
    assumptions = [Assumption.of(given, hardware) for given in definition["assumptions"]]
    found = []
    for given in definition["claims"]:
        claim = Claim.of(given, hardware)
        base = tuple(_values(rows, claim, BASELINE, BASELINE))
        if not base:
            continue
        middle = statistics.median(base)
        effects = [
            effect
            for assumption in assumptions
            if (effect := _effect(rows, claim, assumption, middle)) is not None
        ]
        effects.sort(key=lambda effect: -effect.size)
        found.append(Watched(claim, base, published_value(claim, published), tuple(effects)))
    if not found:
        raise HeadraceError(
            "sensitivity", "no claim has a value", "generate a workload of one: source synthetic"
        )
    return found


def published_value(claim: Claim, published: pl.DataFrame) -> float | None:
    """The claim by the published numbers (scorecard.reference.SCHEMA); None where one was not published."""
    values = [_published(published, cell, claim.quantity) for cell in claim.cells]
    if None in values:
        return None
    return values[0] if len(values) == 1 else values[0] / values[1]


def _published(published: pl.DataFrame, cell: Axes, quantity: str) -> float | None:
    setting = "main" if cell["delay"] == 1 else f"delay{cell['delay']}_{cell['eviction']}"
    keys = {key: cell[key] for key in ("hardware", "workload", "qps", "policy", "stream")}
    found = published.filter(setting=setting, quantity=quantity, **keys)["published"].unique()
    return float(found[0]) if len(found) == 1 else None


def _effect(rows: list[Outcome], claim: Claim, assumption: Assumption, base: float) -> Effect | None:
    """None where the assumption was not moved, or can't touch the claim."""
    if not any(row.assumption == assumption.name and row.claim == claim.name for row in rows):
        return None
    ways = []
    for direction in ("lower", "higher"):
        row = next(
            (row for row in rows if (row.assumption, row.direction) == (assumption.name, direction)), None
        )
        values = _values(rows, claim, assumption.name, direction)
        value = statistics.median(values) if values else None
        ways.append(Moved(value, row.moved_to if row else "", row.cut if row else False))
    changes = [change(claim, base, way.value) for way in ways]
    size = max((_distance(claim, each) for each in changes if each is not None), default=0.0)
    return Effect(assumption, ways[0], ways[1], size)


def _distance(claim: Claim, by: float) -> float:
    """A claim that doubles moves as far as one that halves; a share moves by its points."""
    if claim.is_share:
        return abs(by)
    return abs(math.log1p(by)) if by > -1 else math.inf


def _values(rows: Iterable[Outcome], claim: Claim, assumption: str, direction: str) -> list[float]:
    wanted = (claim.name, assumption, direction)
    return [
        row.value
        for row in rows
        if (row.claim, row.assumption, row.direction) == wanted and row.value is not None
    ]
