"""Rows of a CSV file of numbers, each checked where it is read."""

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import HeadraceError, nearest


@dataclass(slots=True)
class Row:
    """One line of `file`; every fault that it finds names the file and the line."""

    file: Path
    line: int
    fields: dict[str, str]

    def known(self, column: str, words: Iterable[str]) -> str:
        """The text in `column`, which must be one of `words`."""
        word, words = self.fields[column], list(words)
        if word not in words:
            raise self.error(f"unknown {column} {word!r}", nearest(word, words))
        return word

    def number(self, column: str, *, zero: bool = False) -> float:
        """The finite number in `column`: positive, or 0 where `zero` allows it."""
        text = self.fields[column]
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < 0 or (value == 0 and not zero):
            raise self.error(f"{column} is {text!r}", f"expected a number {'from' if zero else 'above'} 0")
        return value

    def error(self, problem: str, remedy: str) -> HeadraceError:
        """A HeadraceError at this line."""
        return HeadraceError(f"{self.file}: line {self.line}", problem, remedy)


def read_rows(
    file: Path,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    restore: str = "restore the file from the repository",
) -> Iterator[Row]:
    """Every row of `file`, which has exactly `columns` and no two rows alike in `key`.

    Raises HeadraceError when the file is missing, empty, unreadable or cut short (then `restore` is the
    remedy), for a missing or unknown column, a row of another length and a row twice.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise HeadraceError(file, "no such file", restore) from None
    except (OSError, UnicodeDecodeError) as error:
        raise HeadraceError(file, f"can't be read ({error})", restore) from error
    lines = csv.reader(text.splitlines())
    header = next(lines, [])
    for column in columns:
        if column not in header:
            raise HeadraceError(file, f"misses column {column!r}", restore)
    for column in header:
        if column not in columns:
            raise HeadraceError(file, f"unknown column {column!r}", nearest(column, columns))
    first_line: dict[tuple[str, ...], int] = {}
    for fields in lines:
        row = Row(file, lines.line_num, dict(zip(header, fields, strict=False)))
        if len(fields) != len(header):
            raise row.error(f"has {len(fields)} of {len(header)} fields", restore)
        identity = tuple(row.fields[column] for column in key)
        if identity in first_line:
            raise row.error(f"the same row as line {first_line[identity]}", "remove one of them")
        first_line[identity] = row.line
        yield row
    if not first_line:
        raise HeadraceError(file, "holds no row", restore)
