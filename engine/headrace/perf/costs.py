"""What a preemption costs, as the cost-based eviction of Stream2LLM estimates it."""

import warnings
from dataclasses import dataclass

from headrace.perf.fit import GOOD_R2, Fit


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds of a recomputation and of a swap (in + out) of n tokens: degree-2 fits.

    As published (Stream2LLM artifact, cost model): one least-squares polynomial through the mean latencies
    at 16..131,072 tokens, all with the same weight. The long prompts therefore decide the fit, and at small
    n it can be off by milliseconds, even negative. That is the published estimate, so it is not clamped;
    `notes` says where it happens.
    """

    recompute: Fit
    swap: Fit
    notes: tuple[str, ...] = ()

    def recompute_s(self, n_tokens: int) -> float:
        """Seconds of computing `n_tokens` again."""
        c0, c1, c2 = self.recompute.coefficients
        return c0 + n_tokens * (c1 + n_tokens * c2)

    def swap_s(self, n_tokens: int) -> float:
        """Seconds of moving the KV cache of `n_tokens` out and in again."""
        c0, c1, c2 = self.swap.coefficients
        return c0 + n_tokens * (c1 + n_tokens * c2)


def make_costs(recompute: Fit, swap: Fit, smallest_tokens: int) -> Costs:
    """Costs with their notes; warns (UserWarning) of a fit whose R2 is below 0.9, as published."""
    notes = []
    for name, fit in (("recompute", recompute), ("swap", swap)):
        if fit.r2 < GOOD_R2:
            notes.append(f"{name} fit: R2 {fit.r2:.3f} is below {GOOD_R2}")
            warnings.warn(notes[-1], stacklevel=3)
        if fit(smallest_tokens) < 0:
            notes.append(f"{name} fit: {fit(smallest_tokens):.6f} s at {smallest_tokens} tokens is negative")
    return Costs(recompute, swap, tuple(notes))
