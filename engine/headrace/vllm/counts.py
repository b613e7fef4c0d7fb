"""What the scheduler counts for Prometheus: sums since they were last taken, and the open streams."""

from dataclasses import dataclass, field, fields

_MICRO = 1_000_000
_TTFT = "ttft_us."


@dataclass(slots=True)
class Counts:
    """Filled by the scheduler, emptied by `take` once per step.

    All are integers since the last `take`, but for `open_streams`, which is a level and stays. Times are
    given to `first_token` in seconds and kept in microseconds: the way to the front-end carries whole
    numbers only.
    """

    streams_opened: int = 0
    streams_closed: int = 0  # by a final chunk
    streams_failed: int = 0  # ended with an error of their own, a time-out not among them
    streams_timed_out: int = 0  # no chunk for longer than stream_timeout_s
    streams_aborted: int = 0  # the client left before the stream had its tokens
    chunks_append: int = 0  # the first chunk of a stream is one of them
    chunks_update: int = 0
    invalidated_tokens: int = 0  # computed, then made void by an update
    preemptions_recompute: int = 0
    preemptions_swap: int = 0
    recomputed_tokens: int = 0  # dropped by a preemption by recompute, so computed twice
    blocks_swapped_out: int = 0
    blocks_swapped_in: int = 0
    open_streams: int = 0
    ttft_us: list[int] = field(default_factory=list)

    def first_token(self, seconds: float) -> None:
        """A stream sampled its first token `seconds` after the engine took its last chunk."""
        self.ttft_us.append(round(seconds * _MICRO))

    def take(self) -> dict[str, int]:
        """What happened since the last call, without zeros, and the level; then the sums start again."""
        taken = {"open_streams": self.open_streams}
        for name in SUMS:
            if number := getattr(self, name):
                taken[name] = number
                setattr(self, name, 0)
        taken.update((f"{_TTFT}{i}", us) for i, us in enumerate(self.ttft_us))
        self.ttft_us.clear()
        return taken


SUMS = tuple(f.name for f in fields(Counts) if f.name not in ("open_streams", "ttft_us"))
"""The fields that `Counts.take` empties."""


def ttfts(taken: dict[str, int]) -> list[float]:
    """Seconds from the last chunk to the first token, of every stream in what `Counts.take` returned."""
    return [us / _MICRO for name, us in taken.items() if name.startswith(_TTFT)]
