"""Random cells, small and tight: few requests that fight for few tokens, slots and blocks.

All times are multiples of 1/64 s, so that sums are exact in floating point in whatever order they
are taken, and so that many hand-overs and steps end at the same instant.
"""

from dataclasses import dataclass, replace
from itertools import product

POLICIES = "default_vllm", "fcfs", "lcas", "mcps"
EVICTIONS = "cost_published", "cost_victim", "recompute", "swap"
AXES = list(product(POLICIES, EVICTIONS, (True, False)))  # policy, eviction, stream


@dataclass(frozen=True)
class Limits:
    token_budget: int
    slots: int
    blocks: int
    host_blocks: int
    block_size: int
    blocks_ahead: int
    held_tokens: int = 0
    whole_blocks: bool = False
    evict_for_slots: bool = False


@dataclass(frozen=True)
class Times:
    """Linear times, in 1/64 s, and costs, in any unit: enough to tell every operation from every other."""

    step: int
    new_token: int
    context_token: int
    block: int
    recompute: tuple[int, int]
    swap: tuple[int, int]

    def step_seconds(self, runs):
        new, context = sum(n for n, _ in runs), sum(context for _, context in runs)
        return (self.step + self.new_token * new + self.context_token * context) / 64

    def swap_seconds(self, blocks):
        return self.block * blocks / 64

    def recompute_cost(self, tokens):
        return self.recompute[0] + self.recompute[1] * tokens

    def swap_cost(self, tokens):
        return self.swap[0] + self.swap[1] * tokens


@dataclass(frozen=True)
class Cell:
    """All that a run needs; its repr is a Python expression."""

    policy: str
    eviction: str
    limits: Limits
    times: Times
    output_tokens: tuple[int, ...]
    hand_overs: tuple[tuple, ...]  # (time_s, request, prompt_tokens, common_prefix_tokens, final)

    def run(self, simulate):
        times = self.times
        return simulate(
            self.hand_overs,
            self.output_tokens,
            self.limits,
            self.policy,
            self.eviction,
            times.step_seconds,
            times.swap_seconds,
            times.recompute_cost,
            times.swap_cost,
        )

    def without(self, request):
        """The same cell less one request."""
        kept = [hand_over for hand_over in self.hand_overs if hand_over[1] != request]
        moved = tuple((t, r - (r > request), *rest) for t, r, *rest in kept)
        outputs = self.output_tokens[:request] + self.output_tokens[request + 1 :]
        return replace(self, hand_overs=moved, output_tokens=outputs)


def random_cell(random, policy, eviction, stream, requests=10):
    """A cell of at most `requests` requests; `random` is a random.Random, or hypothesis' stand-in for it."""
    block_size = random.choice((1, 2, 4, 16))
    ahead = random.choice((0, 0, 1, 1, 2, 4))
    longest = random.randint(1, 8) * block_size + random.randint(0, block_size)
    most_outputs = random.choice((1, 1, 1, 5))
    count = random.randint(min(2, requests), requests)
    output_tokens = tuple(random.randint(1, most_outputs) for _ in range(count))
    mode = random.choice(("append", "update", "mixed"))
    paces = random.choice(((0,), (8,), (64,), (256,), (8, 64), (64, 256), (8, 1024)))
    hand_overs = []
    for request in range(count):
        start = random.randint(0, paces[0])
        chunks = random_chunks(random, mode, longest, start, random.choice(paces))
        if not stream:
            time_s, prompt, _, _ = chunks[-1]
            chunks = [(time_s, prompt, 0, True)]
        hand_overs += [(time_s, request, *rest) for time_s, *rest in chunks]
    hand_overs.sort(key=lambda hand_over: hand_over[:2])

    enough = -(-(longest + most_outputs - 1) // block_size) + ahead
    extra = random.choice((0, 0, 1, 2, ahead + 1, enough // 2, enough // 2, enough, 4 * enough))
    blocks = max(1, enough - 1 if random.random() < 0.1 else enough + extra)
    limits = Limits(
        token_budget=random.choice((random.randint(1, longest), longest, 2 * longest)),
        slots=random.choice((random.randint(1, count), count, count)),
        blocks=blocks,
        host_blocks=random.choice((0, 1, blocks, 2 * blocks, 2 * blocks)),
        block_size=block_size,
        blocks_ahead=ahead,
        **random.choice(({}, random_executor(random))),
    )
    times = Times(
        step=random.randint(1, 32),
        new_token=random.randint(0, 3),
        context_token=random.choice((0, 0, 1)),
        block=random.randint(0, 8),
        recompute=(random.randint(0, 4), random.randint(0, 3)),
        swap=(random.randint(0, 8), random.randint(0, 2)),
    )
    return Cell(policy, eviction, limits, times, output_tokens, tuple(hand_overs))


def random_executor(random):
    """Limits in which executors differ; without them they are those of the published engine."""
    return {
        "held_tokens": random.randint(0, 1),
        "whole_blocks": random.choice((False, True)),
        "evict_for_slots": random.choice((False, True)),
    }


def random_chunks(random, mode, longest, start, pace):
    """One request's chunks (time_s, prompt_tokens, common_prefix_tokens, final), its prompt <= longest."""
    count = random.randint(1, 6)
    time, prompt, chunks = start, 0, []
    for index in range(count):
        common = prompt
        if index and (mode == "update" or (mode == "mixed" and random.random() < 0.5)):
            common = random.choice((0, prompt, random.randint(0, prompt)))
        reach = max(1, common, longest * (index + 1) // count)
        prompt = random.randint(max(1, common), reach)
        chunks.append((time / 64, prompt, common, index == count - 1))
        time += random.randint(0, pace)
    return chunks
