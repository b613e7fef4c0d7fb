"""What a profile measured."""

from dataclasses import dataclass, field

from headrace.perf.profiler.grid import Shape


@dataclass(slots=True)
class Measured:
    """Seconds of all repeats that count, each those of the slowest rank."""

    recompute: dict[int, list[float]] = field(default_factory=dict)
    """By tokens."""
    steps: dict[Shape, list[float]] = field(default_factory=dict)
    swap: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict)
    """By tokens: in, out; as one batched copy."""
    swap_per_block: dict[int, tuple[list[float], list[float]]] = field(default_factory=dict)
    """By tokens: in, out; as one copy per layer, K and V, and block."""
