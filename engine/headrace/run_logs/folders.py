"""The folders of the runs: run_log/<workload>/<configuration>/<policy>/<date>."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.run_logs.names import OLDER_POLICIES

LOG = "run_metrics.csv"
DEPTH = "*/*/*/*"
LAYOUT = f"run_log/<workload>/<configuration>/<policy>/<date>/{LOG}"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run: its folder, and that folder's name below the data set's `run_log`."""

    path: Path
    name: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Workload, configuration, policy and date, as the folders are called."""
        return tuple(self.name.split("/"))

    @property
    def older(self) -> bool:
        """Whether its policy goes by an older name."""
        return self.parts[2] in OLDER_POLICIES


def locate(data: Path) -> Path:
    """The folder `run_log`: `data` itself, or one or two levels below it.

    Raises HeadraceError when there is no such folder with a run in it, or when there are several.
    """
    if not data.is_dir():
        raise HeadraceError(data, "no such folder", "name the folder of the data set with the key data")
    places = [data, *sorted(path for depth in ("run_log", "*/run_log") for path in data.glob(depth))]
    found = [place for place in places if next(place.glob(f"{DEPTH}/{LOG}"), None)]
    if len(found) != 1:
        have = " and ".join(str(place) for place in found) or f"no {LAYOUT}"
        raise HeadraceError(data, f"holds {have}", "name the one folder of the run logs with the key data")
    return found[0]


def run_folders(root: Path) -> list[RunFolder]:
    """All runs below `root` in the order of preference: current policy names first, then the newest date.

    Dates are compared piece by piece, digits as numbers; of two that are equal the first by its whole name
    comes first.
    """
    paths = [path for path in root.glob(DEPTH) if path.is_dir() and not _hidden(path, root)]
    runs = sorted((RunFolder(path, _name(path, root)) for path in paths), key=lambda run: run.name)
    runs.sort(key=lambda run: _by_number(run.parts[3]), reverse=True)
    return sorted(runs, key=lambda run: run.older)


def _by_number(date: str) -> list[str | int]:
    """Text and numbers by turns: 2025-9-30 comes before 2025-10-02."""
    return [int(piece) if piece.isdecimal() else piece for piece in re.split(r"([0-9]+)", date)]


def misplaced(root: Path) -> Iterator[str]:
    """Names of the folders below `root` that hold a log and are too deep or not deep enough for a run."""
    for log in sorted(root.rglob(LOG)):
        if not _hidden(log, root) and len(log.relative_to(root).parts) != len(DEPTH.split("/")) + 1:
            yield _name(log.parent, root)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)
