"""The files of published traces, read strictly: CSV rows and JSON objects."""

import csv
import io
import math
from collections.abc import Iterator
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import read_json, read_text

# Pages are longer than the csv module's default limit of 131,072 characters.
LONGEST_FIELD = 2**31 - 1


def locate(folder: Path, pattern: str) -> Path:
    """The one folder at or below `folder` that holds files matching `pattern`.

    Raises HeadraceError when `folder` is missing or holds no such file or several such folders.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise HeadraceError(folder, "no such folder", "check the path of the traces")
    found = [folder] if any(folder.glob(pattern)) else sorted({path.parent for path in folder.rglob(pattern)})
    if len(found) != 1:
        have = f"files {pattern} in {len(found)} folders" if found else f"no file {pattern}"
        raise HeadraceError(folder, f"holds {have}", "name the one folder of the traces")
    return found[0]


def read_rows(path: Path, columns: tuple[str, ...], optional: tuple[str, ...] = ()) -> list[dict[str, str]]:
    """The rows of a CSV file, each with `columns` and those of `optional` that the file has.

    Raises HeadraceError for a file that is missing, unreadable, empty, cut short or lacks a column.
    """
    csv.field_size_limit(LONGEST_FIELD)
    rows: list[dict] = []
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        header = reader.fieldnames
        rows.extend(reader)
    except csv.Error as error:
        raise HeadraceError(
            f"{path}: row {len(rows) + 1}", f"not valid CSV ({error})", "restore the file"
        ) from error
    if not header or not rows:
        raise HeadraceError(path, "has no rows", "restore the file")
    for column in columns:
        if column not in header:
            raise HeadraceError(path, f"column {column!r} is missing", f"needed are {', '.join(columns)}")
    wanted = [*columns, *(column for column in optional if column in header)]
    for number, row in enumerate(rows, start=1):
        if None in row or any(row[column] is None for column in wanted):
            raise HeadraceError(f"{path}: row {number}", "has too many or too few fields", "restore the file")
    return [{column: row[column] for column in wanted} for row in rows]


def read_time(row: dict[str, str], column: str, place: str) -> float:
    """The non-negative number in `column` of `row`. Raises HeadraceError for anything else."""
    try:
        value = float(row[column])
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise HeadraceError(f"{place}, column {column}", f"is {row[column]!r}", "give a time of at least 0")
    return value


def read_object(path: Path) -> Iterator[tuple[int, object]]:
    """The entries of a JSON object whose keys are whole numbers, in the order of the file.

    Raises HeadraceError for a file that is missing, unreadable or cut short, a key that is no whole
    number and a number that is there twice.
    """
    pairs = read_json(path, object_pairs_hook=_Pairs)
    if not isinstance(pairs, _Pairs):
        raise HeadraceError(path, "is no JSON object", "give an object: id -> entry")
    seen = set()
    for key, value in pairs:
        if not (key.isascii() and key.isdigit()):
            raise HeadraceError(f"{path}: key {key!r}", "is no id", "ids are whole numbers")
        if int(key) in seen:
            raise HeadraceError(f"{path}: key {key!r}", "is there twice", "give each id once")
        seen.add(int(key))
        yield int(key), dict(value) if isinstance(value, _Pairs) else value


class _Pairs(list):
    """The entries of a JSON object: a dict would hide a key that is there twice."""
