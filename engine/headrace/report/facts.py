"""What was run, on what and when, gathered from the files that cells leave behind."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

from headrace.axes import TYPES, Axes, axes_of
from headrace.errors import HeadraceError
from headrace.files import read_json, read_text
from headrace.metrics.overload import overloaded_cells

AGAIN = "run the cell again"
SOURCES = {
    "sim": "simulated",
    "vllm": "measured on vLLM with Headrace's plugin",
    "published": "read from the run logs of the study",
}


@dataclass(slots=True)
class Facts:
    """The cells of one study and backend: axes, content of cell.json and of run.json, in the same order."""

    axes: list[Axes]
    cells: list[dict]
    runs: list[dict]

    def values(self, axis: str) -> list:
        """The different values of an axis, ascending."""
        return sorted({axes[axis] for axes in self.axes})

    def rates(self, workload: str) -> list[float]:
        """The request rates (1/s) at which a workload was served, ascending."""
        return sorted({axes["qps"] for axes in self.axes if axes["workload"] == workload})

    def spec(self, workload: str, key: str) -> str | None:
        """What the specs of a workload's cells say under `key`; None where they say nothing."""
        found = {
            cell["spec"].get(key)
            for axes, cell in zip(self.axes, self.cells, strict=True)
            if axes["workload"] == workload
        }
        return joined(found) if found != {None} else None

    def circumstance(self, key: str) -> str:
        """What the runs say under `key`, each value once."""
        return joined(run.get(key) for run in self.runs)

    def packages(self) -> dict[str, str]:
        """Versions of the packages that the cells ran with."""
        names = sorted({name for run in self.runs for name in run.get("packages", {})})
        return {name: joined(run.get("packages", {}).get(name) for run in self.runs) for name in names}

    def perf_models(self) -> dict[str, dict]:
        """By hardware: what cell.json says of the performance model; none for a backend that has none."""
        return {
            axes["hardware"]: cell["perf_model"]
            for axes, cell in zip(self.axes, self.cells, strict=True)
            if cell.get("perf_model")
        }

    def provenance(self) -> str:
        """Where the numbers come from: backends and performance models."""
        sources = [SOURCES[backend] for backend in self.values("backend")]
        models = sorted({Path(model["file"]).stem for model in self.perf_models().values()})
        return " and ".join(sources) + f"; performance models {' and '.join(models)}" * bool(models)

    def period(self) -> tuple[datetime, datetime] | None:
        """When the first cell started and the last one ended; None where no run says so."""
        ends = [
            (datetime.fromisoformat(run["finished_at"]), timedelta(seconds=run.get("wall_s") or 0.0))
            for run in self.runs
            if run.get("finished_at")
        ]
        return (min(end - spent for end, spent in ends), max(end for end, _ in ends)) if ends else None

    def worst_lateness_ms(self) -> float:
        """How late the chunks of a cell on vLLM were sent: the largest 99th percentile of a cell, in ms."""
        return max(run["lateness"]["p99_ms"] for run in self.runs if "lateness" in run)

    def wall_s(self) -> float:
        """Wall time of all cells, added up."""
        return sum(run.get("wall_s") or 0.0 for run in self.runs)


def gather(cells: Iterable[Path], runs: Iterable[Path]) -> Facts:
    """Read the cell.json files of a study's cells and the run.json files, in the same order.

    Raises HeadraceError for none, a missing or broken file, and one outside a cell's folders.
    """
    cells, runs = list(cells), list(runs)
    if not cells:
        raise HeadraceError("report", "no cell", "run the study first")
    axes = [axes_of(file) for file in cells]
    return Facts(axes, [_read(file) for file in cells], [_read(file) for file in runs])


def joined(values: Iterable[object], shown: Callable[[object], str] = str) -> str:
    """Different values, sorted, in one text; "not recorded" where there is none."""
    found = {shown(value) for value in values if value is not None}
    return ", ".join(sorted(found)) or "not recorded"


def overloaded(metrics: pl.DataFrame) -> pl.DataFrame:
    """The cells that are marked as overload, with their axes.

    `offered_load`: median over the worlds, null where it is not known.
    """
    load = pl.col("value").filter(pl.col("quantity") == "offered_load").median()
    loads = metrics.group_by(*TYPES).agg(offered_load=load)
    marked = overloaded_cells(metrics).filter("overload").drop("overload")
    return marked.join(loads, on=list(TYPES)).sort(*TYPES)


def total(metrics: pl.DataFrame, quantity: str) -> int:
    """Sum of a count over all cells and worlds."""
    return int(metrics.filter(pl.col("quantity") == quantity)["value"].sum())


def skipped_traces(counts: Iterable[Path]) -> dict[str, str]:
    """By workload: how many traces were read and which were skipped, from *.traces.json files."""
    told = {}
    for file in counts:
        found = _read(file)
        names = f" ({', '.join(found['skipped'])})" if found["skipped"] else ""
        told[found["workload"]] = f"{found['traces']:,} read, {len(found['skipped']):,} skipped{names}"
    return told


def run_logs(lists: Iterable[Path]) -> dict[str, int]:
    """How many runs have which status, from lists of what became of run logs (runs.csv)."""
    return dict(
        Counter(row["status"] for file in lists for row in csv.DictReader(read_text(file).splitlines()))
    )


def settings(values: dict) -> str:
    """What was set on the command line, as JSON; "nothing" if so."""
    return json.dumps(values, sort_keys=True) if values else "nothing"


def _read(file: Path) -> dict:
    content = read_json(file)
    if not isinstance(content, dict):
        raise HeadraceError(file, "is not an object of names and values", AGAIN)
    return content
