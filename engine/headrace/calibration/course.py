"""How one stage of a fit goes: from where the stage before ended to the best that its search finds."""

from dataclasses import dataclass

from headrace.calibration.judge import Judge, Point
from headrace.calibration.parameters import Values, values_at
from headrace.calibration.progress import Progress
from headrace.calibration.search import Generation, Positions, search
from headrace.calibration.stages import Stage


@dataclass(frozen=True, slots=True)
class Course:
    """A stage that was run. Its losses are of its own rows: those of two stages can't be compared."""

    stage: Stage
    began: Point
    ended: Point
    generations: list[Generation]
    stopped: str
    refused: int
    """Points of the search that could not be served."""


def points_needed(stage: Stage, population: int) -> int:
    """How many points `run_stage` asks for at most: where it begins, the search, two to choose from."""
    return 1 + stage.evaluations // population * population + 2


def run_stage(stage: Stage, held: Values, judge: Judge, seed: int, population: int, told: Progress) -> Course:
    """Search from `held`, the values of all parameters, moving those of the stage.

    It ends at the best of where it began, all points that were asked for, and the search's final mean.
    """
    refused = 0

    def values(positions: Positions) -> Values:
        return held | values_at(stage.parameters, positions)

    def losses(asked: list[Positions]) -> list[float]:
        nonlocal refused
        found = judge.at(map(values, asked), stage.rows)
        refused += sum(point.failed is not None for point in found)
        told.tell(min(point.loss for point in found))
        return [point.loss for point in found]

    (began,) = judge.at([held], stage.rows)
    told.tell(began.loss)
    origin = [parameter.position(held[parameter.path]) for parameter in stage.parameters]
    found = search(losses, origin, stage.step, seed, stage.evaluations, population)
    candidates = judge.at(map(values, (found.best, found.favourite)), stage.rows)
    ended = min([began, *candidates], key=lambda point: point.loss)
    return Course(stage, began, ended, found.generations, found.stopped, refused)
