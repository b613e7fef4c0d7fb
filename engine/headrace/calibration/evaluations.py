"""Every point that was served, kept in a file: a fit that was stopped asks again and is told from it."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from headrace.calibration.parameters import Values
from headrace.calibration.serving import Outcome
from headrace.calibration.stages import Rows
from headrace.errors import HeadraceError
from headrace.files import read_text, write_text

Serve = Callable[[Sequence[Values], Rows], Iterator[tuple[Values, Outcome]]]
"""Serves points for some rows, in any order."""


class Evaluations:
    """Outcomes by rows and point. `file` holds a line for what they depend on, then a line for each, as JSON.

    A point that is known for some rows is not known for others: other cells were served.
    digest: of all that an outcome depends on but rows and values themselves. A file of another digest, or one
    that is damaged, is set aside; a last line that was cut short is dropped. `advance` is called once
    for every point that is asked for and known or served.
    """

    def __init__(self, file: Path, digest: str, serve: Serve, advance: Callable[[], None] = lambda: None):
        self.file, self.serve, self.advance = file, serve, advance
        self.known = _kept(file, digest)

    def at(self, points: Iterable[Values], rows: Rows) -> list[Outcome]:
        """The outcomes of `rows` at `points`, in their order; those that are not known are served."""
        keyed = [(_key(rows, point), point) for point in points]
        new = {key: point for key, point in keyed if key not in self.known}
        for _ in range(len(keyed) - len(new)):
            self.advance()
        for point, outcome in self.serve([*new.values()], rows):
            self._keep(rows, point, outcome)
            self.advance()
        return [self.known[key] for key, _ in keyed]

    def _keep(self, rows: Rows, point: Values, outcome: Outcome) -> None:
        line = {"rows": rows, "values": point, "reproduced": outcome.reproduced, "failed": outcome.failed}
        try:
            with self.file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, allow_nan=False) + "\n")
        except OSError as error:
            raise HeadraceError(
                self.file, f"can't be written ({error.strerror})", "free disk space or fix permissions"
            ) from error
        self.known[_key(rows, point)] = outcome


def _key(rows: Sequence[int], point: Values) -> str:
    return json.dumps([rows, point], sort_keys=True)


def _kept(file: Path, digest: str) -> dict[str, Outcome]:
    """What `file` knows; afterwards the file is there, and whole."""
    head = json.dumps({"digest": digest})
    if file.exists():
        first, *lines = read_text(file).split("\n")
        whole, cut = lines[:-1], lines[-1:]
        try:
            known = dict(map(_outcome, whole)) if first == head else None
        except (ValueError, KeyError, TypeError):
            known = None
        if known is not None:
            if cut != [""]:
                write_text(file, "".join(f"{line}\n" for line in (head, *whole)))
            return known
        aside = file.with_suffix(f".other{file.suffix}")
        file.replace(aside)
        print(
            f"{file}: of other sources or another configuration; set aside as {aside.name}", file=sys.stderr
        )
    write_text(file, f"{head}\n")
    return {}


def _outcome(line: str) -> tuple[str, Outcome]:
    kept = json.loads(line)
    return _key(kept["rows"], kept["values"]), Outcome(kept["reproduced"], kept["failed"])
