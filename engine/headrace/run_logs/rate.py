"""A run's request rate and settings: config_*.yaml beside its log."""

import hashlib
import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from headrace.axes import Axes
from headrace.errors import HeadraceError
from headrace.files import read_yaml
from headrace.run_logs.names import UnknownRunError

PATTERN = "config_*.yaml"
KEY = "replay.poisson_avg_arrival_time"
DIGITS = 2e-6


def read_config(folder: Path) -> dict:
    """The run's configuration: `file`, its `sha256`, `content`, and `gap_s`, the mean time between queries.

    Raises HeadraceError when there is no such file or more than one, and when it does not give KEY, at the
    top or under `config`, as a number above 0.
    """
    files = sorted(folder.glob(PATTERN))
    if len(files) != 1:
        have = f"{len(files)} files" if files else "no file"
        raise HeadraceError(folder, f"holds {have} {PATTERN}", "keep the one that the run was made with")
    content = read_yaml(files[0])
    top = content if isinstance(content, dict) else {}
    replay = next((part["replay"] for part in (top, top.get("config")) if _has_replay(part)), {})
    gap_s = _number(replay.get(KEY.rpartition(".")[2]))
    if isinstance(gap_s, bool) or not isinstance(gap_s, int | float) or not 0 < gap_s < math.inf:
        said = "is missing" if gap_s is None else f"is {gap_s!r}"
        raise HeadraceError(f"{files[0]}: key {KEY}", said, "give the mean seconds between queries")
    sha256 = hashlib.sha256(files[0].read_bytes()).hexdigest()
    return {"file": files[0].name, "sha256": sha256, "content": _plain(content), "gap_s": gap_s}


def rate_of_grid(place: object, gap_s: float, axes: Axes, expected: Iterable[Axes]) -> float:
    """The QPS of an `expected` cell with these `axes` that equals 1 / `gap_s` to six digits.

    Raises UnknownRunError at `place` when the grid has no such cell.
    """
    rates = sorted({cell["qps"] for cell in expected if all(cell[key] == axes[key] for key in axes)})
    for qps in rates:
        if math.isclose(qps * gap_s, 1.0, rel_tol=DIGITS):
            return qps
    at = f"{axes['workload']}, {axes['hardware']}, delay {axes['delay']}, {axes['eviction']}"
    known = ", ".join(f"{qps:g}" for qps in rates)
    remedy = f"rates there: {known}" if rates else "the study has no such cell at any rate"
    raise UnknownRunError(place, f"{1 / gap_s:.6g} QPS is not in the grid at {at}", remedy)


def _number(value: object) -> object:
    """A number that is written as a text: YAML knows 1e-1 as one."""
    with suppress(ValueError):
        return float(value) if isinstance(value, str) else value
    return value


def _has_replay(part: object) -> bool:
    return isinstance(part, dict) and isinstance(part.get("replay"), dict)


def _plain(value: object) -> object:
    """The same tree out of what JSON has; dates, NaN and the like as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if (
        value is None
        or isinstance(value, str | bool | int)
        or (isinstance(value, float) and math.isfinite(value))
    ):
        return value
    return str(value)
