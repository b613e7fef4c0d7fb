"""How far a fit is: a bar on a terminal, lines where there is none."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

LINES = 10


class Progress:
    """Counts points of `total`; says the lowest loss so far."""

    def __init__(self, total: int):
        self.total, self.done, self.best = total, 0, float("inf")
        self.started = time.perf_counter()

    def advance(self) -> None:
        """One more point is known."""
        self.done += 1
        self._show()

    def tell(self, loss: float) -> None:
        """A loss that was reached."""
        self.best = min(self.best, loss)

    def _show(self) -> None:
        """Silent."""


class Lines(Progress):
    """Every tenth of the points in a line."""

    def _show(self) -> None:
        if self.done * LINES // self.total > (self.done - 1) * LINES // self.total:
            seconds = time.perf_counter() - self.started
            print(
                f"calibrate: {self.done} of {self.total} points, loss {self.best:.4g}, {seconds:.0f} s",
                file=sys.stderr,
                flush=True,
            )


class Bar(Progress):
    """A bar with the time left."""

    def __init__(self, total: int, bar):
        super().__init__(total)
        self.bar, self.task = bar, bar.add_task("calibrate", total=total, best="")

    def _show(self) -> None:
        self.bar.update(self.task, completed=self.done, best=f"loss {self.best:.4g}")


@contextmanager
def progress(total: int, shown: bool) -> Iterator[Progress]:
    """Yield what counts `total` points: a bar on a terminal, lines elsewhere, silence unless `shown`."""
    if not shown or not sys.stderr.isatty():
        yield (Lines if shown else Progress)(total)
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
        yield Bar(total, bar)
