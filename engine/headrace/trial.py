"""Trials: cells of a study served in memory under a changed configuration, nothing written."""

import copy
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from headrace.axes import Axes
from headrace.cell import engines, serve
from headrace.errors import HeadraceError, nearest
from headrace.metrics.cell import cell_metrics
from headrace.perf import Overheads, PerfModel
from headrace.replay import Replay
from headrace.study import cell_folder, cell_spec
from headrace.workload.arrivals import arrival_times
from headrace.workload.generate import draw

ARRIVALS = ("published", "own", "at_once")


def changed(config: dict, values: Mapping[str, object]) -> dict:
    """A copy of the configuration with other values: {"hardware/h200-tp2/kv_blocks": 90000}.

    A path names keys from the top, separated by "/". Raises HeadraceError for one that leads nowhere.
    """
    config = copy.deepcopy(config)
    for path, value in values.items():
        *folders, last = path.split("/")
        place = config
        for key in (*folders, last):
            if not isinstance(place, dict) or key not in place:
                known = map(str, place) if isinstance(place, dict) else ()
                raise HeadraceError(f"configuration: {path}", f"there is no {key!r}", nearest(key, known))
            parent, place = place, place[key]
        parent[last] = value
    return config


class Trial:
    """Serves cells of a study as `run_cell` does, from workloads that it draws and keeps in memory.

    `arrivals`: "published" gives every world those of world 0, so that worlds differ in their prompts
    only; "own" is what the study does; "at_once" lets every query start at 0. `models` may hold
    performance models by file, to read them once for many trials.

    Raises HeadraceError for a workload that is not synthetic, for it can't be drawn.
    """

    def __init__(
        self,
        config: dict,
        study: str,
        arrivals: str = "published",
        models: dict[str, PerfModel] | None = None,
    ):
        if arrivals not in ARRIVALS:
            raise HeadraceError("arrivals of a trial", f"{arrivals!r} is none", nearest(arrivals, ARRIVALS))
        self.config, self.study, self.arrivals = config, study, arrivals
        self.models = {} if models is None else models
        self._drawn: dict[tuple[str, int], tuple[pl.DataFrame, pl.DataFrame]] = {}

    def requests(self, axes: Axes, worlds: Iterable[int]) -> pl.DataFrame:
        """The requests table of a cell (columns of requests.parquet), these worlds only."""
        return pl.concat([table for table, _ in self.served(axes, worlds)])

    def metrics(self, axes: Axes, worlds: Iterable[int]) -> pl.DataFrame:
        """The cell's rows of the metrics table (headrace.metrics.cell.SCHEMA), these worlds only."""
        served = self.served(axes, worlds)
        loads = {totals["world"]: totals["offered_load"] for _, totals in served}
        loads = {world: load for world, load in loads.items() if load is not None}
        return cell_metrics(pl.concat([table for table, _ in served]), axes, loads)

    def served(self, axes: Axes, worlds: Iterable[int]) -> list[tuple[pl.DataFrame, dict]]:
        """Requests table and totals (as in cell.json: steps, busy_s, end_s, ...) of each of these worlds."""
        spec = cell_spec(self.config, self.study, axes)
        overheads = Overheads(**spec["overheads"])
        new_engine = engines(spec, self._model(axes["hardware"]), overheads)
        place = f"trial of {cell_folder(axes)}"
        served = []
        for world in worlds:
            replay, engine = Replay(*self._workload(axes["workload"], world), spec), new_engine()
            if getattr(engine.scheduler, "appends_only", False):
                replay.check_appends(place)
            served.append(serve(world, replay, engine, overheads, place))
        return served

    def _model(self, hardware: str) -> PerfModel:
        file = self.config["hardware"][hardware]["perf_model"]["file"]
        if file not in self.models:
            self.models[file] = PerfModel.load(Path(file))
        return self.models[file]

    def _workload(self, name: str, world: int) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Chunks and arrivals of one world."""
        if (name, world) not in self._drawn:
            workload = self.config["workloads"][name]
            if workload["source"] != "synthetic":
                raise HeadraceError(
                    f"workload {name}",
                    f"source is {workload['source']!r}: its worlds can't be drawn anew",
                    "use source: synthetic",
                )
            queries, seed = workload["queries"], self.config["seed"]
            parameters, candidates = self.config["generators"][name], workload.get("typical_of", 1)
            chunks = draw(name, parameters, world, seed, queries, candidates)
            times = np.zeros(queries)
            if self.arrivals != "at_once":
                times = arrival_times(queries, 0 if self.arrivals == "published" else world, seed)
            starts = pl.DataFrame({"query_id": np.arange(queries), "arrival_s": times})
            self._drawn[name, world] = chunks, starts
        return self._drawn[name, world]
