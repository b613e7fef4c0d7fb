"""Every policy with every eviction rule, prefix cache on and off, in pools from tight to roomy."""

import random
from dataclasses import dataclass

from headrace.scheduling import EVICTIONS

POLICIES = ("default_vllm", "fcfs", "lcas", "mcps")  # vllm_032 is stock and takes no streams


@dataclass(frozen=True)
class Configuration:
    """blocks and host_blocks: usable ones, of 32 tokens; slots: residents at a time; clients at a time: few
    leave time to compute what an update then invalidates, many leave no room.
    """

    policy: str
    eviction: str
    prefix_cache: bool
    blocks: int
    host_blocks: int
    token_budget: int
    slots: int
    clients: int

    def apply(self, engine) -> None:
        engine.configure(
            {"policy": self.policy, "eviction": self.eviction},
            blocks=self.blocks,
            host_blocks=self.host_blocks,
            prefix_cache=self.prefix_cache,
            token_budget=self.token_budget,
            slots=self.slots,
        )

    def __str__(self) -> str:
        cache = "prefix cache" if self.prefix_cache else "no prefix cache"
        blocks = f"{self.blocks} + {self.host_blocks} blocks"
        return f"{self.policy}, {self.eviction}, {cache}, {blocks}, {self.clients} clients"


def configurations(seed: int) -> list[Configuration]:
    """Pools, budgets and slots are drawn; some host pools are too small for what is swapped."""
    draw, all_of_them = random.Random(seed), []
    for policy in POLICIES:
        for eviction in EVICTIONS:
            for prefix_cache in (False, True):
                pool = draw.choice((79, 79, 79, 96, 96, 128, 255))
                host, slots = draw.choice((40, 160, 512)), draw.choice((6, 16, 16))
                budget = draw.choice((96, 256, 512, 512))
                clients = draw.choice((4, 8, 16))
                all_of_them.append(
                    Configuration(policy, eviction, prefix_cache, pool, host, budget, slots, clients)
                )
    return all_of_them
