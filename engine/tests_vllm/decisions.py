"""What the simulator and vLLM's real scheduler decide on the same cell, operation by operation."""

import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from headrace.perf import Costs
from headrace.perf.fit import Fit
from headrace.request import Request
from headrace.scheduling import Limits, scheduler
from headrace.sim import HandOver, LivelockError, Simulator
from headrace.vllm.virtual import VirtualEngine, plugin

sys.path.append(str(Path(__file__).parents[1] / "tests/sim"))

from cells import random_cell  # noqa: F401  (tests take it from here: only now is its folder on the path)

TABLE = (
    "opened_s", "handed_over_s", "last_chunk_s", "first_token_s", "finished_s", "output", "computed_tokens",
    "invalidated_tokens", "preemptions_recompute", "preemptions_swap",
)  # fmt: skip
"""What the requests table is made of (headrace.request.Request), the prompt apart."""


@dataclass
class Decisions:
    """All that one executor did.

    steps: (end s, seconds, evictions [(request, how)], loads [request], runs [(request, new tokens, computed
    tokens after it)]), each list sorted by request; copies: blocks of every copy between GPU and host, in
    order.
    """

    steps: list = field(default_factory=list)
    copies: list = field(default_factory=list)
    result: tuple = ()
    requests: list = field(default_factory=list)

    def observe(self, now_s, seconds, plan):
        evictions = sorted((victim.id, how) for victim, how, *_ in plan.evictions)
        loads = sorted(request.id for request, _ in plan.loads)
        runs = sorted((request.id, tokens, request.computed) for request, tokens, _ in plan.runs)
        self.steps.append((now_s, seconds, evictions, loads, runs))

    def swap_time(self, seconds_of):
        """The engine's swap time, its calls written down."""

        def timed(blocks):
            self.copies.append(blocks)
            return seconds_of(blocks)

        return timed

    def run(self, engine, hand_overs, requests):
        """Serve; a livelock is an outcome like any other."""
        try:
            result = engine.run(hand_overs, requests)
            refused = sorted(request.id for request in result.refused)
            self.result = result.steps, result.busy_s, result.end_s, refused
        except LivelockError:
            self.result = ("livelock",)
            refused = [request.id for request in engine.refused]
        self.requests = [
            (request.id, *(getattr(request, name) for name in TABLE))
            for request in requests
            if request.id not in refused
        ]
        return self

    @property
    def operations(self):
        """Evictions, loads and runs in all."""
        return sum(len(evictions) + len(loads) + len(runs) for _, _, evictions, loads, runs in self.steps)

    @property
    def kinds(self):
        """How many evictions of each kind, and loads."""
        found = Counter(how for _, _, evictions, _, _ in self.steps for _, how in evictions)
        found["loads"] = sum(len(loads) for _, _, _, loads, _ in self.steps)
        return found

    def first_difference(self, other):
        """Where two executors part, in words; None: nowhere."""
        for name in ("steps", "copies", "requests"):
            for place, pair in enumerate(zip(getattr(self, name), getattr(other, name), strict=False)):
                if pair[0] != pair[1]:
                    return f"{name}[{place}]: simulator {pair[0]}, vLLM {pair[1]}"
        if (len(self.steps), self.copies, self.result) != (len(other.steps), other.copies, other.result):
            return f"simulator {len(self.steps)} steps {self.result}, vLLM {len(other.steps)} {other.result}"
        return None if self == other else "they differ"


def as_plugin(limits):
    """The same limits with the plugin's parameters; a smaller pool makes up for no blocks ahead."""
    keys = {name: getattr(limits, name) for name in ("token_budget", "slots", "host_blocks", "block_size")}
    blocks = max(1, limits.blocks - limits.blocks_ahead)
    return Limits(
        **keys, blocks=blocks, blocks_ahead=0, held_tokens=1, whole_blocks=True, evict_for_slots=True
    )


def linear(cost):
    """A Fit of constant and slope."""
    return Fit((float(cost[0]), float(cost[1]), 0.0), 1.0)


def of_cell(cell, live_s=1 / 64):
    """(simulator's, vLLM's) decisions on a random cell (tests/sim/cells.py)."""
    limits = as_plugin(cell.limits)
    costs = Costs(linear(cell.times.recompute), linear(cell.times.swap))

    def step_time(runs):
        return cell.times.step_seconds([(tokens, request.computed) for request, tokens, _ in runs])

    return both(
        cell.policy,
        cell.eviction,
        costs,
        limits,
        step_time,
        cell.times.swap_seconds,
        live_s,
        [HandOver(*hand_over) for hand_over in cell.hand_overs],
        lambda: [Request(id, wanted) for id, wanted in enumerate(cell.output_tokens)],
    )


def both(policy, eviction, costs, limits, step_time, swap_time, live_s, hand_overs, new_requests):
    """The same cell on both executors."""
    simulated, real = Decisions(), Decisions()
    planner = scheduler(policy, eviction, costs, limits)
    simulator = Simulator(
        planner, step_time, simulated.swap_time(swap_time), limits, simulated.observe, live_s
    )
    simulated.run(simulator, hand_overs, new_requests())
    engine = VirtualEngine(
        plugin(policy, eviction, costs, limits),
        step_time,
        real.swap_time(swap_time),
        limits,
        real.observe,
        live_s,
    )
    real.run(engine, hand_overs, new_requests())
    return simulated, real
