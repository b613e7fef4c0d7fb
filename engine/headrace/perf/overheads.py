"""The software's own time around a forward pass."""

from dataclasses import dataclass

from headrace.perf.records import above, at_least, read_record


@dataclass(frozen=True, slots=True)
class Overheads:
    """What the serving software makes of the accelerator's time: two factors, and seconds on top of it.

    A table that was measured inside an engine (provider `published`) already holds part of them: set those
    to 0 in config/hardware.yaml and the factors to 1, or they are counted twice.
    """

    dense_scale: float = above(0)
    """Projections, FFN and all-reduce of the engine at hand over those of the performance model, where its
    tables were measured under another engine or version. 1 for a model of the engine itself."""
    attention_scale: float = above(0)
    """The same of attention, prefill and decode: another kernel, and a cache in blocks."""
    step_s: float = at_least(0)
    """Per step: scheduling, launch, synchronisation of the tensor-parallel ranks, output."""
    request_s: float = at_least(0)
    """Per request that runs in a step: input preparation, sampling, bookkeeping."""
    live_s: float = at_least(0)
    """Per step and unfinished request, running or not: the engine's loops over its lists of requests. The
    published fork sorts all of them and looks each up in a list (`in`) every step."""
    reply_s: float = at_least(0)
    """From the end of a step to the client: the way of a sampled token. It takes no time of the engine."""
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

    @classmethod
    def none(cls, **given: float) -> "Overheads":
        """None but what is given: for a model that was measured inside the engine."""
        zeros = dict.fromkeys(cls.__dataclass_fields__, 0.0)
        return cls.from_dict({**zeros, "dense_scale": 1.0, "attention_scale": 1.0, **given})
