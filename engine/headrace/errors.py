"""The one error a user sees: where, what is wrong, what would be right."""

import difflib
from collections.abc import Iterable


class HeadraceError(Exception):
    """Bad input or an impossible run, told in one line.

    `place` names the file and the row, column or key ("config/config.yaml: key workloads.crawler");
    `problem` says what is wrong there; `remedy` says what would be right.
    """

    def __init__(self, place: object, problem: str, remedy: str):
        self.place, self.problem, self.remedy = str(place), problem, remedy
        super().__init__(" ".join(f"{place}: {problem}; {remedy}".split()))

    def __reduce__(self):
        """Survives the way from one process to another."""
        return type(self), (self.place, self.problem, self.remedy)


def nearest(word: str, known: Iterable[str]) -> str:
    """A remedy for a mistyped name: the nearest known one, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
