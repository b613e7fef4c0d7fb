"""CUDA streams and events on a CPU: work is done at once, and what a GPU could do in another order is found.

Every stream carries a vector clock; waiting for an event takes over what its stream had done by then. Two
accesses to one memory, one of them a write, by two streams of which neither had waited for the other, are a
race.
"""

from collections import defaultdict
from contextlib import contextmanager

from torch.utils._python_dispatch import TorchDispatchMode

READS = {"aten.copy_.default": (1,), "aten.index_select.default": (0, 2), "aten.index_copy_.default": (2, 3)}
WRITES = {"aten.copy_.default": (0,), "aten.index_copy_.default": (0,)}


class Event:
    """What a stream had done when the event was recorded; nothing before that."""

    def __init__(self):
        self.clock = {}

    def record(self, stream):
        self.clock = dict(stream.clock)


class Stream:
    """`deaf` ones do not wait: a fault that the detector has to find."""

    def __init__(self, name, deaf=False):
        self.name, self.deaf, self.clock = name, deaf, {name: 0}

    def wait_event(self, event):
        if not self.deaf:
            for name, time in event.clock.items():
                self.clock[name] = max(self.clock.get(name, 0), time)

    def wait_stream(self, stream):
        event = Event()
        event.record(stream)
        self.wait_event(event)

    def synchronize(self):
        pass


class FakeCuda(TorchDispatchMode):
    """Stands for torch.cuda while it is entered; `races` lists what was found."""

    Event = Event

    def __init__(self, deaf=()):
        super().__init__()
        self.deaf, self.compute = deaf, Stream("compute", "compute" in deaf)
        self.current, self.races = self.compute, []
        self.accesses = defaultdict(dict)  # memory -> {(stream, whether it wrote): time}

    def Stream(self):
        return Stream("side", "side" in self.deaf)

    def current_stream(self):
        return self.current

    @contextmanager
    def stream(self, stream):
        before, self.current = self.current, stream
        try:
            yield
        finally:
            self.current = before

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = str(function)
        self.current.clock[self.current.name] += 1
        for wrote, places in ((False, READS.get(name, ())), (True, WRITES.get(name, ()))):
            for place in places:
                self.access(args[place].untyped_storage().data_ptr(), wrote, name)
        return function(*args, **(kwargs or {}))

    def access(self, memory, wrote, name):
        clock = self.current.clock
        for (stream, other_wrote), time in self.accesses[memory].items():
            if (wrote or other_wrote) and clock.get(stream, 0) < time:
                self.races.append((name, self.current.name, stream))
        self.accesses[memory][self.current.name, wrote] = clock[self.current.name]
