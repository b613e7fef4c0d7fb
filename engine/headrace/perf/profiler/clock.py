"""Seconds of work on a device: CUDA events on a GPU, the process's clock on a CPU."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from headrace.perf.profiler.ranks import Ranks


def measure(run: Callable[[], object], ranks: Ranks, repeats: int, dropped: int) -> list[float]:
    """Seconds of `repeats` runs without the first `dropped`; of each run, those of the slowest rank.

    The ranks start every run together, with nothing left to do on the device.
    """
    timed = _seconds_on_gpu if ranks.device.startswith("cuda") else _seconds_on_cpu
    return ranks.slowest([timed(run, ranks) for _ in range(repeats)])[dropped:]


@contextmanager
def captured(run: Callable[[], object]) -> Iterator[Callable[[], object]]:
    """A CUDA graph of `run`, which leaves out the time that Python takes to launch its kernels."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    # Thread-local: the thread that watches over NCCL may query its events meanwhile.
    with torch.cuda.graph(graph, capture_error_mode="thread_local"):
        run()
    try:
        yield graph.replay
    finally:
        torch.cuda.synchronize()
        graph.reset()


def _seconds_on_gpu(run: Callable[[], object], ranks: Ranks) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    ranks.together()
    torch.cuda.synchronize()
    start.record()
    run()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3


def _seconds_on_cpu(run: Callable[[], object], ranks: Ranks) -> float:
    ranks.together()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
