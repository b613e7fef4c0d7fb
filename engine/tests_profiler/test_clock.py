"""What is timed on a GPU, in which order: on a CUDA that only notes what is asked of it."""

from contextlib import contextmanager

import pytest
import torch

from headrace.perf.profiler.clock import captured, measure
from headrace.perf.profiler.ranks import Ranks

GPU = Ranks(0, 1, "cuda:0")


@pytest.fixture
def cuda(monkeypatch):
    """Everything that was called, and a clock that moves only when a test moves it."""

    class Cuda:
        def __init__(self):
            self.calls, self.now_ms = [], 0.0

        def note(self, *words):
            self.calls.append(words if len(words) > 1 else words[0])

    fake = Cuda()

    class Event:
        def __init__(self, enable_timing):
            assert enable_timing

        def record(self):
            fake.note("record")
            self.ms = fake.now_ms

        def elapsed_time(self, end):
            return end.ms - self.ms

    class Graph:
        def replay(self):
            fake.note("replay")

        def reset(self):
            fake.note("reset")

    @contextmanager
    def graph(graph, stream, capture_error_mode):
        fake.note("capture", stream, capture_error_mode)
        yield
        fake.note("captured")

    @contextmanager
    def stream(stream):
        fake.note("on", stream)
        yield
        fake.note("off")

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", graph)
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda: "main")
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: fake.note("synchronize"))
    return fake


def test_runs_follow_each_other_and_the_first_ones_do_not_count(cuda, monkeypatch):
    monkeypatch.setattr(Ranks, "together", lambda self: cuda.note("together"))
    times_ms = iter([9.0, 5.0, 1.0, 2.0])

    def run():
        cuda.note("run")
        cuda.now_ms += next(times_ms)

    assert measure(run, GPU, repeats=4, dropped=2) == [0.001, 0.002]
    assert cuda.calls == ["together", "synchronize", "record", *["run", "record"] * 4, "synchronize"]


def test_a_graph_is_captured_after_a_run_on_the_same_stream(cuda):
    class Side(str):
        def wait_stream(self, other):
            cuda.note("wait", other)

    side = Side("side")
    with captured(lambda: cuda.note("run"), side) as replay:
        replay()
    assert cuda.calls == [
        *[("wait", "main"), ("on", side), "run", "off"],
        *[("capture", side, "thread_local"), "run", "captured"],
        *["replay", "synchronize", "reset"],
    ]


def test_a_graph_is_given_back_when_its_measurement_fails(cuda):
    class Side(str):
        def wait_stream(self, other):
            pass

    with pytest.raises(RuntimeError, match="out of memory"), captured(lambda: None, Side("side")):
        raise RuntimeError("out of memory")
    assert cuda.calls[-2:] == ["synchronize", "reset"]
