"""How a victim leaves the GPU: its blocks are dropped and recomputed later, or swapped to the host."""

from typing import Protocol

from headrace.request import Request
from headrace.scheduling.contract import RECOMPUTE, SWAP, Limits


class Costs(Protocol):
    """Fitted costs of a preemption in seconds, for a number of tokens (a performance model has them)."""

    def recompute_s(self, tokens: int) -> float: ...

    def swap_s(self, tokens: int) -> float:
        """Out and in."""


class Eviction:
    """Chooses between recompute and swap. A rule overrides `prefers_recompute`."""

    def __init__(self, costs: Costs, limits: Limits):
        self.costs = costs
        self.block_size = limits.block_size

    def prefers_recompute(self, victim: Request, asking: Request, new_tokens: int) -> bool:
        """The rule's choice; `new_tokens` is what the asking request computes in this step."""
        raise TypeError(f"{type(self).__name__} does not define prefers_recompute")

    def how(self, victim: Request, asking: Request, new_tokens: int, host_free: int) -> tuple[str, int]:
        """RECOMPUTE or SWAP, and the host blocks it takes.

        Nothing computed, or no room in the host pool, leaves only recompute (the published engine
        ignores the size of its swap pool).
        """
        host_blocks = -(-victim.computed // self.block_size)
        if not 0 < host_blocks <= host_free or self.prefers_recompute(victim, asking, new_tokens):
            return RECOMPUTE, 0
        return SWAP, host_blocks


class CostPublished(Eviction):
    """The published rule: compares costs for the new tokens of the ASKING request, not the victim's."""

    def prefers_recompute(self, victim, asking, new_tokens):
        return self.costs.recompute_s(new_tokens) < self.costs.swap_s(new_tokens)


class CostVictim(Eviction):
    """The rule as meant: costs for what the victim has computed and would lose."""

    def prefers_recompute(self, victim, asking, new_tokens):
        return self.costs.recompute_s(victim.computed) < self.costs.swap_s(victim.computed)


class RecomputeOnly(Eviction):
    """Always recompute."""

    def prefers_recompute(self, victim, asking, new_tokens):
        return True


class SwapOnly(Eviction):
    """Swap whenever the host has room."""

    def prefers_recompute(self, victim, asking, new_tokens):
        return False


EVICTIONS = {
    "cost_published": CostPublished,
    "cost_victim": CostVictim,
    "recompute": RecomputeOnly,
    "swap": SwapOnly,
}
