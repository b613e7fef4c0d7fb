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
SERVED = "values with which every request is served"


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
        ours = self._drawn(values, wanted, self.worlds, pl.col("value").median())
        for row in ours.iter_rows(named=True):
            value, lowest = row["value"], 0.0 if row["quantity"] in COUNTS else SHORTEST_S
            if value is None or not lowest <= value < math.inf:
                raise HeadraceError(_name(row), f"is {value} in the simulator", SERVED)
        return ours["value"].to_list()

    def spread(self, values: Values, draws: dict[str, int]) -> list[float]:
        """Standard deviation of the logarithm of every row over so many draws of each workload.

        Counts are counted from 1, since they may be 0. Raises HeadraceError where `values` can't be served.
        """
        counted = pl.when(pl.col("quantity").is_in(COUNTS)).then(1).otherwise(0)
        found = self._drawn(values, self.rows, draws, (pl.col("value") + counted).log().std())
        for row in found.iter_rows(named=True):
            if row["value"] is None or not math.isfinite(row["value"]):
                raise HeadraceError(_name(row), "has no spread over draws in the simulator", SERVED)
        return found["value"].to_list()

    def _drawn(
        self, values: Values, wanted: pl.DataFrame, draws: dict[str, int], statistic: pl.Expr
    ) -> pl.DataFrame:
        """`wanted` (KEYS) with column `value`: a statistic over draws, null where there is no such number."""
        cells = cells_of(wanted, self.config, self.study)
        trial = Trial(changed(self.config, settings(self.parameters, values)), self.study, models=self.models)
        tables = [trial.metrics(axes, range(1, 1 + draws[axes["workload"]])) for axes in cells]
        found = of_cells(pl.concat(tables).filter(pl.col("quantity").is_in(COMPARED)))
        # The order counts in the last bit of a standard deviation, and a join does not warrant it.
        over_draws = found.sort("world").group_by(list(KEYS)).agg(value=statistic)
        return wanted.join(over_draws, on=list(KEYS), how="left", nulls_equal=True, maintain_order="left")


def _name(row: dict) -> str:
    return " ".join(str(row[key]) for key in KEYS)
