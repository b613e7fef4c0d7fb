"""Points served by several processes."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager

from headrace.calibration.evaluations import Serve
from headrace.calibration.parameters import Values
from headrace.calibration.serving import Outcome, Serving
from headrace.calibration.stages import Rows


@contextmanager
def served_by(workers: int, serving: Serving) -> Iterator[Serve]:
    """Yield a function that serves points in so many processes, or in this one where it is but one.

    Processes are started anew, not forked: Polars does not survive a fork. What they give does not depend
    on their number. On an interrupt they end with what they are at.
    """
    if workers == 1:
        yield lambda points, rows: ((point, serving(point, rows)) for point in points)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _start, (serving,)) as pool:

        def serve(points: Sequence[Values], rows: Rows) -> Iterator[tuple[Values, Outcome]]:
            asked = {pool.submit(_serve, point, rows): point for point in points}
            for future in as_completed(asked):
                yield asked[future], future.result()

        try:
            yield serve
        finally:
            pool.shutdown(cancel_futures=True)


_serving: Serving


def _start(serving: Serving) -> None:
    """In a new process: keep what serves; leave Ctrl-C to the parent, and end with it."""
    global _serving
    _serving = serving
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


def _serve(point: Values, rows: Rows) -> Outcome:
    return _serving(point, rows)
