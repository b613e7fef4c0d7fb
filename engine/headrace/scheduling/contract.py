"""What a scheduler is: arithmetic on requests and block counts, without clock, tensor or engine.

An executor (the simulator, or the plugin inside vLLM) owns time and memory. Each step it
1. tells the scheduler what came from outside: `event(request, kind, now_s)`,
2. asks for a `plan(now_s, ledger)`: pure, it changes neither a request nor the ledger,
3. applies the plan: evictions, then loads, then runs, each checked against the ledger,
4. reports it done: `stepped(plan, seconds, now_s)`; here the scheduler updates its orders.
"""

from dataclasses import dataclass
from typing import Protocol

from headrace.kv import Ledger
from headrace.request import Request

OPENED = "opened"  # the first chunk is there
CHUNK = "chunk"  # the prompt grew, changed or was closed
GONE = "gone"  # refused or aborted: forget it

RECOMPUTE = "recompute"
SWAP = "swap"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a step may use, and how KV memory is cut.

    token_budget: new tokens per step (vLLM: max_num_batched_tokens); slots: resident requests
    (max_num_seqs); blocks / host_blocks: KV blocks of the GPU pool / of the host's swap pool;
    block_size: tokens per block; blocks_ahead: blocks pre-allocated beyond what a step needs.

    Where executors differ; the default is what the published engine does, the plugin for vLLM has 1, True,
    True. held_tokens: how many tokens at the end of an open stream (0 or 1) wait until it closes;
    whole_blocks: what an update leaves of a KV cache is cut to whole blocks; evict_for_slots: a selected
    request gets a slot although residents hold them all: one that was not selected is evicted.
    """

    token_budget: int
    slots: int
    blocks: int
    host_blocks: int
    block_size: int = 16
    blocks_ahead: int = 4
    held_tokens: int = 0
    whole_blocks: bool = False
    evict_for_slots: bool = False

    def __post_init__(self):
        for name in ("token_budget", "slots", "blocks", "block_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, is {getattr(self, name)}")
        for name in ("host_blocks", "blocks_ahead"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, is {getattr(self, name)}")
        if self.held_tokens not in (0, 1):
            raise ValueError(f"held_tokens must be 0 or 1, is {self.held_tokens}")

    @property
    def longest_tokens(self) -> int:
        """The longest request that can ever run: the pool must hold it and its pre-allocation."""
        return (self.blocks - self.blocks_ahead) * self.block_size


class Plan:
    """The operations of one step, in the order in which they are applied.

    evictions: [(victim, RECOMPUTE | SWAP, asking request, its new tokens)];
    loads: [(swapped-out request, GPU blocks it gets)]: it becomes resident again;
    runs: [(request, new tokens, GPU blocks it gets)]; a request without a slot gets one;
    wake_s: plan again at that time even if nothing happens before.
    """

    __slots__ = ("evictions", "loads", "runs", "wake_s")

    def __init__(self, runs=(), evictions=(), loads=(), wake_s: float | None = None):
        self.runs, self.evictions, self.loads, self.wake_s = runs, evictions, loads, wake_s


class Scheduler(Protocol):
    """Decides what each step does. One instance serves one engine.

    One that can't serve updates has `appends_only = True`: such workloads are refused before they start.
    One that does not ask the eviction rule, `only_recomputes = True`: what is shown of a run says so.
    """

    def event(self, request: Request, kind: str, now_s: float) -> None:
        """Something came from outside (OPENED, CHUNK, GONE); `request` is already changed."""

    def plan(self, now_s: float, ledger: Ledger) -> Plan:
        """What the next step does, given the blocks that are free."""

    def stepped(self, plan: Plan, seconds: float, now_s: float) -> None:
        """The plan was applied and took `seconds`; finished requests have `finished_s` set."""
