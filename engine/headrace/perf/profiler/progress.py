"""How far a profile is: a bar on a terminal, lines where there is none."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINES = 10


@contextmanager
def progress(total: int, shown: bool) -> Iterator[Callable[[str], None]]:
    """Yield a function that counts one measurement of the section it is told; silent unless `shown`."""
    if not shown:
        yield lambda section: None
    elif sys.stderr.isatty():
        with _bar(total) as advance:
            yield advance
    else:
        yield _lines(total)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description:15}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(file=sys.stderr)) as bar:
        task = bar.add_task("profile", total=total)
        yield lambda section: bar.update(task, advance=1, description=section)


def _lines(total: int) -> Callable[[str], None]:
    started, done = time.perf_counter(), 0

    def advance(section: str) -> None:
        nonlocal done
        done += 1
        if done * LINES // total > (done - 1) * LINES // total:
            seconds = time.perf_counter() - started
            print(f"{section}: {done} of {total} measurements, {seconds:.0f} s", file=sys.stderr, flush=True)

    return advance
