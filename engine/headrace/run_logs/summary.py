"""What became of every run and of every cell: runs.csv, and the lines on the terminal."""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from headrace.axes import Axes

AXES = ("hardware", "workload", "delay", "eviction", "policy", "stream", "qps")
COLUMNS = (*AXES, "status", "folder", "requests", "problem")
STATUSES = {
    "read": "the run of a cell of the study",
    "missing": "a cell of the study without a readable run",
    "unreadable": "a run whose files are damaged",
    "duplicate": "a run of a cell that has a newer one",
    "unknown": "a run that no cell of the study stands for",
}


@dataclass(slots=True)
class Row:
    """A line of runs.csv: a cell of the study, or a run that is none of them."""

    status: str
    axes: Axes = field(default_factory=dict)
    folder: str = ""
    requests: int | None = None
    problem: str = ""

    def line(self) -> str:
        """The row for the terminal: what it is about, its status, what is wrong."""
        place = f"run_log/{self.folder}" if self.folder else ", ".join(_said(self.axes))
        return " ".join(f"{place}: {self.status}: {self.problem}".split())


def cell_rows(expected: list[Axes], read: dict[tuple, Row], others: list[Row]) -> Iterator[Row]:
    """One row per expected cell: the run that was read, or `missing`, naming a damaged run if one may be it.

    `read` is by the cell's axes (`key`), `others` are the runs that were not read.
    """
    damaged = [row for row in others if row.status == "unreadable" and row.axes]
    for cell in expected:
        may_be = (row for row in damaged if all(cell[axis] == value for axis, value in row.axes.items()))
        names = " and ".join(f"run_log/{row.folder}" for row in may_be)
        problem = f"no readable run; damaged: {names}" if names else "no run"
        yield read.get(key(cell)) or Row("missing", cell, problem=problem)


def remark_sizes(read: Iterable[Row]) -> None:
    """Add to the problem of a run that has another number of requests than most runs of its workload.

    A log that was cut between two queries, and a trial run, look whole.
    """
    by_workload: dict[object, list[Row]] = {}
    for row in read:
        by_workload.setdefault(row.axes["workload"], []).append(row)
    for workload, rows in by_workload.items():
        (usual, _), *_ = Counter(row.requests for row in rows).most_common(1)
        for row in rows:
            if row.requests != usual:
                said = f"{row.requests:,} requests, most runs of {workload} have {usual:,}"
                row.problem = "; ".join(filter(None, (row.problem, said)))


def key(axes: Axes) -> tuple:
    """What tells one cell from another, in the order of `AXES`; None where that is not known."""
    return tuple(axes.get(axis) for axis in AXES)


def to_csv(rows: list[Row]) -> str:
    """All rows as text: columns `COLUMNS`, empty for what is not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        fields = [*key(row.axes), row.status, row.folder, row.requests, row.problem]
        writer.writerow(_field(value) for value in fields)
    return text.getvalue()


def lines(rows: list[Row], file: object) -> Iterator[str]:
    """One line for every row that is not plainly read, then the total."""
    yield from (row.line() for row in rows if row.problem)
    counts = Counter(row.status for row in rows)
    wanted = counts["read"] + counts["missing"]
    others = ", ".join(f"{counts[status]} {status}" for status in list(STATUSES)[1:] if counts[status])
    yield f"read {counts['read']} of {wanted} runs{f' ({others})' if others else ''}: see {file}"


def _said(axes: Axes) -> Iterator[str]:
    yield from (str(axes[axis]) for axis in ("workload", "hardware"))
    yield f"delay {axes['delay']}"
    yield from (str(axes[axis]) for axis in ("eviction", "policy"))
    yield "streaming" if axes["stream"] else "non-streaming"
    yield f"{axes['qps']:g} QPS"


def _field(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
