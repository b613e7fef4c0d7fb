"""Points of a fit and how good they are."""

from collections.abc import Iterable
from dataclasses import dataclass

from headrace.calibration.evaluations import Evaluations
from headrace.calibration.objective import Objective
from headrace.calibration.parameters import Parameter, Values, distance
from headrace.calibration.serving import Outcome
from headrace.calibration.stages import Rows

REFUSED = 1e3
"""Loss of a point that can't be served: far above that of any that can."""


@dataclass(frozen=True, slots=True)
class Point:
    """Values, what the simulator gave there, and how good that is for the rows that were asked for."""

    values: Values
    reproduced: list[float] | None
    """Of these rows, in their order; None where the point can't be served."""
    misfit: float
    loss: float
    failed: str | None = None
    """Why it can't be served."""


@dataclass(frozen=True, slots=True)
class Judge:
    """Asks for points and gives their losses: misfit of some rows, distance of all parameters."""

    parameters: list[Parameter]
    """All of the fit, also those that a stage leaves where they are."""
    objective: Objective
    """Of all rows."""
    points: Evaluations

    def at(self, asked: Iterable[Values], rows: Rows | None = None) -> list[Point]:
        """The points at these values of all parameters, for all rows or these only."""
        asked = list(asked)
        rows = self.objective.every if rows is None else rows
        objective, outcomes = self.objective.of(rows), self.points.at(asked, rows)
        return [
            self._point(objective, values, outcome) for values, outcome in zip(asked, outcomes, strict=True)
        ]

    def _point(self, objective: Objective, values: Values, outcome: Outcome) -> Point:
        if outcome.reproduced is None:
            return Point(values, None, REFUSED, REFUSED, outcome.failed)
        misfit = objective.misfit(outcome.reproduced)
        loss = misfit + objective.prior * distance(self.parameters, values)
        return Point(values, outcome.reproduced, misfit, loss)
