"""A stopwatch that knows when the operating system gave the CPU to somebody else."""

import resource


class Laps:
    """Microseconds of passes in `times_us`; None for one in which the CPU was taken away.

    What such a pass took says nothing about its work. The time itself is read by the caller, so that no call
    is timed.
    """

    __slots__ = ("interruptions", "times_us")

    def __init__(self):
        self.times_us: list[float | None] = []
        self.interruptions = 0

    def begin(self) -> None:
        """A pass is about to start."""
        self.interruptions = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw

    def end(self, nanoseconds: int) -> None:
        """The pass took that long."""
        undisturbed = resource.getrusage(resource.RUSAGE_SELF).ru_nivcsw == self.interruptions
        self.times_us.append(nanoseconds / 1e3 if undisturbed else None)
