"""The course of a fit: the start, its stages, the choice, and what the rows say about each parameter."""

from collections.abc import Sequence
from dataclasses import dataclass

from headrace.calibration.course import Course, points_needed, run_stage
from headrace.calibration.judge import Judge, Point
from headrace.calibration.parameters import starts
from headrace.calibration.progress import Progress
from headrace.calibration.stages import Stage
from headrace.errors import HeadraceError

MOVED = 0.1
"""Share of its range by which each parameter is moved, alone, from its fitted value."""
START, START_REMEDY = "start of the fit", "correct the start, or the configuration"
"""Place and remedy of an error where the start can't be served."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What a fit found; `before`, `after` and `moved` are of all rows."""

    before: Point
    after: Point
    courses: list[Course]
    moved: dict[str, list[tuple[float, float | None] | None]]
    """By path: value and misfit with the parameter moved down and up by `MOVED` of its range, within its
    bounds, all others as fitted; no misfit where that can't be served, None where there is no room."""


def solve(
    judge: Judge, stages: Sequence[Stage], seed: int, population: int, told: Progress | None = None
) -> Solution:
    """Run the stages, each from where the one before ended, the first from the start.

    Fitted is where the last one ended, unless the start is better for all rows. Stage i, counted from 0,
    has seed + i. Raises HeadraceError where the start can't be served.
    """
    told = told or Progress()
    told.begin("start, all rows", 1)
    (before,) = judge.at([starts(judge.parameters)])
    if before.failed is not None:
        raise HeadraceError(START, before.failed, START_REMEDY)
    held, courses = before.values, []
    for index, stage in enumerate(stages):
        told.begin(f"stage {index + 1} of {len(stages)}: {stage.of}", points_needed(stage, population))
        course = run_stage(stage, held, judge, seed + index, population, told)
        held = course.ended.values
        courses.append(course)
    told.begin("end, all rows", 1)
    (end,) = judge.at([held])
    after = min(before, end, key=lambda point: point.loss)
    return Solution(before, after, courses, _moved(judge, after, told))


def _moved(judge: Judge, after: Point, told: Progress) -> dict:
    values, places = [], []
    for parameter in judge.parameters:
        fitted = after.values[parameter.path]
        for side, step in enumerate((-MOVED, MOVED)):
            value = parameter.value(min(max(parameter.position(fitted) + step, 0.0), 1.0))
            if value != fitted:
                values.append(after.values | {parameter.path: value})
                places.append((parameter.path, side, value))
    moved: dict[str, list] = {parameter.path: [None, None] for parameter in judge.parameters}
    told.begin("each value moved alone", len(values))
    for (path, side, value), point in zip(places, judge.at(values), strict=True):
        moved[path][side] = value, None if point.failed else point.misfit
    return moved
