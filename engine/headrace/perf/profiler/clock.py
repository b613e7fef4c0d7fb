"""Seconds of work on a device: CUDA events on a GPU, the process's clock on a CPU."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import torch

from headrace.perf.profiler.ranks import Ranks


def measure(run: Callable[[], object], ranks: Ranks, repeats: int, dropped: int) -> list[float]:
    """Seconds of `repeats` runs without the first `dropped`; of each run, those of the slowest rank.

    The ranks start together, with nothing left to do on the device. The runs follow each other without a
    pause, so that all but the first one wait on the GPU already when their turn comes: what the driver
    takes to launch a graph is in none of them.
    """
    timed = _seconds_on_gpu if ranks.device.startswith("cuda") else _seconds_on_cpu
    ranks.together()
    return ranks.slowest(timed(run, repeats))[dropped:]


@contextmanager
def captured(run: Callable[[], object], stream: torch.cuda.Stream) -> Iterator[Callable[[], object]]:
    """A CUDA graph of `run`, which leaves out the time that Python takes to launch its kernels.

    `stream`: the same for all graphs, since cuBLAS keeps a workspace for every stream that it was used on.
    """
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        run()
    graph = torch.cuda.CUDAGraph()
    # Thread-local: the thread that watches over NCCL may query its events meanwhile.
    with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
        run()
    try:
        yield graph.replay
    finally:
        torch.cuda.synchronize()
        graph.reset()


def _seconds_on_gpu(run: Callable[[], object], repeats: int) -> list[float]:
    events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
    torch.cuda.synchronize()
    events[0].record()
    for event in events[1:]:
        run()
        event.record()
    torch.cuda.synchronize()
    return [start.elapsed_time(end) / 1e3 for start, end in pairwise(events)]


def _seconds_on_cpu(run: Callable[[], object], repeats: int) -> list[float]:
    ends = [time.perf_counter()]
    for _ in range(repeats):
        run()
        ends.append(time.perf_counter())
    return [end - start for start, end in pairwise(ends)]
