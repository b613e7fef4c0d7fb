"""A data set of five runs, and what reading it gives."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest
from published_logs import run_folder, write_run

from headrace.axes import Axes
from headrace.run_logs.read import read_run_logs
from headrace.study import cell_folder

PARTS = (
    ("crawler", 1, "cost_published", "default_vllm", True, 4.0),
    ("crawler", 1, "cost_published", "default_vllm", False, 4.0),
    ("crawler", 1, "cost_published", "fcfs", True, 4.0),
    ("anns", 1, "cost_published", "lcas", True, 2.0),
    ("anns", 30, "swap", "mcps", True, 2.0),
)
NAMES = ("workload", "delay", "eviction", "policy", "stream", "qps")


@dataclass
class DataSet:
    """Five cells, their made-up requests, and the data set in which their runs lie."""

    root: Path
    expected: list[Axes]
    requests: list[pl.DataFrame]

    @property
    def runs(self) -> Path:
        return self.root / "results/published/runs.csv"

    @property
    def cells(self) -> Path:
        return self.root / "results/cells/backend=published"

    def add(self, number: int, stamp=repr, **place) -> Path:
        """Write the run of a cell; its folder."""
        axes = self.expected[number]
        folder = self.root / "data/run_log" / run_folder(axes, **place)
        return write_run(folder, self.requests[number], axes, stamp)

    def folder(self, number: int) -> Path:
        return self.root / "data/run_log" / run_folder(self.expected[number])

    def log(self, number: int) -> Path:
        return self.folder(number) / "run_metrics.csv"

    def edit(self, number: int, change) -> None:
        """Replace the lines of a log (each with its end) by `change(lines)`."""
        lines = self.log(number).read_text().splitlines(keepends=True)
        self.log(number).write_text("".join(change(lines)))

    def read(self) -> pl.DataFrame:
        """Read the data set; the rows of runs.csv, with empty texts for null."""
        read_run_logs(self.root / "data", self.expected, self.runs, self.cells)
        return pl.read_csv(self.runs).with_columns(pl.col(pl.String).fill_null(""))

    def table(self, number: int, name: str = "requests") -> pl.DataFrame:
        return pl.read_parquet(self.cell(number) / f"{name}.parquet")

    def cell(self, number: int) -> Path:
        return self.root / "results/cells" / cell_folder(self.expected[number])


@pytest.fixture
def data_set(tmp_path, fabricate) -> DataSet:
    """The data set with one run of each cell."""
    cells = [dict(zip(NAMES, part, strict=True)) for part in PARTS]
    expected = [{"backend": "published", "hardware": "h200-tp2", **cell} for cell in cells]
    requests = [
        pl.read_parquet(fabricate(worlds=1, queries=30, seed=seed, **cell)) for seed, cell in enumerate(cells)
    ]
    made = DataSet(tmp_path, expected, requests)
    for number in range(len(cells)):
        made.add(number)
    return made
