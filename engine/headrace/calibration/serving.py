"""A point of a fit served: the values go into the configuration, the simulator gives the rows' numbers."""

import math
from dataclasses import dataclass

import polars as pl

from headrace.calibration.objective import COUNTS
from headrace.calibration.parameters import Parameter, Values, settings
from headrace.calibration.rows import COMPARED, cells_of
from headrace.calibration.stages import Rows
from headrace.errors import HeadraceError
from headrace.perf import PerfModel
from headrace.scorecard.reference import KEYS
from headrace.scorecard.samples import of_cells
from headrace.trial import Trial, changed

SHORTEST_S = 1e-9
"""A time below it has no use as a logarithm."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the simulator gave at one point, or why it could not."""

    reproduced: list[float] | None = None
    """Of the rows asked for, in their order: the median over worlds."""
    failed: str | None = None


class Serving:
    """Serves the cells of the calibration set under other values.

    rows: KEYS of the published rows (not the published values: these are the objective's). worlds: draws of
    each workload; all of them get the published arrivals, so that no value is fitted to the luck of one draw.
    They are worlds 1, 2, ...: which draw is the most typical, as world 0 is, depends on the values.
    """

    def __init__(
        self, config: dict, study: str, parameters: list[Parameter], rows: pl.DataFrame, worlds: dict
    ):
        self.config, self.study, self.parameters = config, study, parameters
        self.rows, self.worlds = rows.select(*KEYS), worlds
        self.cells = cells_of(rows, config, study)
        self.models: dict[str, PerfModel] = {}

    def __call__(self, values: Values, rows: Rows) -> Outcome:
        """The outcome of `rows`. Values that the engine or a generator refuses are an outcome, too."""
        try:
            return Outcome(self.reproduce(values, rows))
        except HeadraceError as error:
            return Outcome(failed=str(error))

    def reproduce(self, values: Values, rows: Rows) -> list[float]:
        """Ours of `rows`, of which only the cells are served.

        Raises HeadraceError where a cell can't be served or gives no such number.
        """
        wanted = self.rows[list(rows)]
        cells = cells_of(wanted, self.config, self.study)
        trial = Trial(changed(self.config, settings(self.parameters, values)), self.study, models=self.models)
        tables = [trial.metrics(axes, range(1, 1 + self.worlds[axes["workload"]])) for axes in cells]
        found = of_cells(pl.concat(tables).filter(pl.col("quantity").is_in(COMPARED)))
        medians = found.group_by(list(KEYS)).agg(pl.col("value").median())
        ours = wanted.join(medians, on=list(KEYS), how="left", nulls_equal=True, maintain_order="left")
        for row in ours.iter_rows(named=True):
            value, lowest = row["value"], 0.0 if row["quantity"] in COUNTS else SHORTEST_S
            if value is None or not lowest <= value < math.inf:
                name = " ".join(str(row[key]) for key in KEYS)
                remedy = "values with which every request is served"
                raise HeadraceError(name, f"is {value} in the simulator", remedy)
        return ours["value"].to_list()
