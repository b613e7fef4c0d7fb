"""The software's own time around a forward pass."""

from dataclasses import dataclass

from headrace.perf.records import at_least, read_record


@dataclass(frozen=True, slots=True)
class Overheads:
    """What the serving software adds to the accelerator's time. All in seconds, all 0 or more.

    A table that was measured inside an engine (provider `published`) already holds part of them: set those
    to 0 in config/hardware.yaml, or they are counted twice.
    """

    step_s: float = at_least(0)
    """Per step: scheduling, launch, synchronisation of the tensor-parallel ranks, output."""
    request_s: float = at_least(0)
    """Per request that runs in a step: input preparation, sampling, bookkeeping."""
    handover_s: float = at_least(0)
    """Per chunk handed from the client to the engine, whatever its size."""
    handover_token_s: float = at_least(0)
    """Per prompt token of a chunk handed over: serialisation and copy."""
    tokenise_token_s: float = at_least(0)
    """Per token of text tokenised; it blocks the client's event loop, not the engine."""
    swap_block_s: float = at_least(0)
    """Per KV block swapped, one direction: the launches of its copies, which the host issues."""

    @classmethod
    def from_dict(cls, mapping: object, place: object = "overheads") -> "Overheads":
        """Check and build. Raises HeadraceError for a missing, unknown, mistyped or negative key."""
        return read_record(cls, mapping, place)
