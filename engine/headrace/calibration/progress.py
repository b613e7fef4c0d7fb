"""How far a fit is: bars on a terminal, lines where there is none."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

LINES = 10


class Progress:
    """Counts the points of one part of a fit after the other; says the lowest loss of the part so far."""

    def begin(self, part: str, total: int) -> None:
        """A part begins: "stage 2 of 4: anns shapes", at most so many points."""
        self.part, self.total, self.done, self.best = part, total, 0, float("inf")
        self.started = time.perf_counter()

    def advance(self) -> None:
        """One more point is known."""
        self.done += 1
        self._show()

    def tell(self, loss: float) -> None:
        """A loss that was reached."""
        self.best = min(self.best, loss)

    @property
    def loss(self) -> str:
        """The lowest loss so far, if there is one."""
        return f"loss {self.best:.4g}" if self.best < float("inf") else ""

    def _show(self) -> None:
        """Silent."""


class Lines(Progress):
    """Every tenth of a part's points in a line."""

    def _show(self) -> None:
        if self.done * LINES // self.total > (self.done - 1) * LINES // self.total:
            counted = f"{self.done} of {self.total} points"
            seconds = f"{time.perf_counter() - self.started:.0f} s"
            said = ", ".join(filter(None, (counted, self.loss, seconds)))
            print(f"calibrate, {self.part}: {said}", file=sys.stderr, flush=True)


class Bar(Progress):
    """A bar per part, with the time left of it."""

    def __init__(self, bar):
        self.bar, self.task = bar, None

    def begin(self, part: str, total: int) -> None:
        if self.task is not None:
            self.bar.update(self.task, total=self.done)  # a search may stop before its budget is spent
        super().begin(part, total)
        self.task = self.bar.add_task(part, total=total, best="")

    def _show(self) -> None:
        self.bar.update(self.task, completed=self.done, best=self.loss)


@contextmanager
def progress(shown: bool) -> Iterator[Progress]:
    """Yield what counts points: bars on a terminal, lines elsewhere, silence unless `shown`."""
    if not shown or not sys.stderr.isatty():
        yield Lines() if shown else Progress()
        return
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[best]}"),
        bars.TimeElapsedColumn(),
        bars.TextColumn("left"),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=Console(file=sys.stderr)) as bar:
        yield Bar(bar)
