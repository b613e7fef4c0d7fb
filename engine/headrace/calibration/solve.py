"""The course of a fit: the start, the search, the choice, and what the rows say about each parameter."""

from collections.abc import Callable
from dataclasses import dataclass

from headrace.calibration.evaluations import Evaluations
from headrace.calibration.objective import Objective
from headrace.calibration.parameters import Parameter, Values, distance, starts, values_at
from headrace.calibration.search import Generation, search
from headrace.calibration.serving import Outcome
from headrace.errors import HeadraceError

REFUSED = 1e3
"""Loss of a point that can't be served: far above that of any that can."""
MOVED = 0.1
"""Share of its range by which each parameter is moved, alone, from its fitted value."""


@dataclass(frozen=True, slots=True)
class Point:
    """Values, what the simulator gave there, and how good that is."""

    values: Values
    reproduced: list[float]
    misfit: float
    loss: float


@dataclass(frozen=True, slots=True)
class Solution:
    """What a fit found."""

    before: Point
    after: Point
    moved: dict[str, list[tuple[float, float | None] | None]]
    """By path: value and misfit with the parameter moved down and up by `MOVED` of its range, within its
    bounds, all others as fitted; no misfit where that can't be served, None where there is no room."""
    generations: list[Generation]
    stopped: str
    refused: int
    """Points of the search that could not be served."""


def points_needed(parameters: list[Parameter], evaluations: int, population: int) -> int:
    """How many points `solve` asks for at most: the start, the search, two to choose from, each one moved."""
    return 1 + evaluations // population * population + 2 + 2 * len(parameters)


def solve(
    parameters: list[Parameter],
    objective: Objective,
    points: Evaluations,
    seed: int,
    evaluations: int,
    population: int,
    tell: Callable[[float], None] = lambda loss: None,
) -> Solution:
    """Search from the start; fitted is the best of all points asked for and of the search's final mean.

    `tell` is told every generation's lowest loss. Raises HeadraceError where the start can't be served.
    """
    first = starts(parameters)
    (outcome,) = points.at([first])
    if outcome.failed is not None:
        raise HeadraceError("start of the fit", outcome.failed, "correct the start, or the configuration")
    before = _point(parameters, objective, first, outcome)
    tell(before.loss)
    refused = 0

    def losses(asked: list) -> list[float]:
        nonlocal refused
        values = [values_at(parameters, positions) for positions in asked]
        found = points.at(values)
        refused += sum(outcome.failed is not None for outcome in found)
        losses = [_loss(parameters, objective, *pair)[1] for pair in zip(values, found, strict=True)]
        tell(min(losses))
        return losses

    origin = [parameter.position(parameter.start) for parameter in parameters]
    found = search(losses, origin, seed, evaluations, population)
    candidates = [values_at(parameters, positions) for positions in (found.best, found.favourite)]
    served = [
        _point(parameters, objective, values, outcome)
        for values, outcome in zip(candidates, points.at(candidates), strict=True)
        if outcome.failed is None
    ]
    after = min([before, *served], key=lambda point: point.loss)
    moved = _moved(parameters, objective, points, after)
    return Solution(before, after, moved, found.generations, found.stopped, refused)


def _loss(
    parameters: list[Parameter], objective: Objective, values: Values, outcome: Outcome
) -> tuple[float, float]:
    """Misfit and loss."""
    if outcome.reproduced is None:
        return REFUSED, REFUSED
    misfit = objective.misfit(outcome.reproduced)
    return misfit, misfit + objective.prior * distance(parameters, values)


def _point(parameters: list[Parameter], objective: Objective, values: Values, outcome: Outcome) -> Point:
    return Point(values, outcome.reproduced, *_loss(parameters, objective, values, outcome))


def _moved(parameters: list[Parameter], objective: Objective, points: Evaluations, after: Point) -> dict:
    values, places = [], []
    for parameter in parameters:
        fitted = after.values[parameter.path]
        for side, step in enumerate((-MOVED, MOVED)):
            value = parameter.value(min(max(parameter.position(fitted) + step, 0.0), 1.0))
            if value != fitted:
                values.append(after.values | {parameter.path: value})
                places.append((parameter.path, side, value))
    moved: dict[str, list] = {parameter.path: [None, None] for parameter in parameters}
    for (path, side, value), outcome in zip(places, points.at(values), strict=True):
        misfit = None if outcome.reproduced is None else objective.misfit(outcome.reproduced)
        moved[path][side] = value, misfit
    return moved
