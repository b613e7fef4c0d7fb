"""A queue in a steady state: always the same number of requests with something to compute."""

import math
import random
from dataclasses import dataclass

from headrace.kv import Ledger
from headrace.request import Request
from headrace.scheduling import CHUNK, OPENED, Limits, Plan, scheduler

ARRIVALS = 3
"""Chunks between two passes."""


@dataclass(frozen=True, slots=True)
class Stream:
    """How the prompts of a workload grow; sizes are tokens, log-normal.

    A chunk is appended where `kept` is None, else it replaces the prompt, of which that share stays.
    `closing` is the probability that a chunk is the last one.
    """

    median_tokens: float
    spread: float
    longest_tokens: int
    closing: float
    kept: float | None = None

    def next_prompt(self, draw: random.Random, prompt_tokens: int) -> tuple[int, int]:
        """Prompt and common prefix after the next chunk, in tokens: at least one token is new."""
        size = math.ceil(draw.lognormvariate(math.log(self.median_tokens), self.spread))
        size = min(size, self.longest_tokens)
        if self.kept is None:
            return prompt_tokens + size, prompt_tokens
        return size, min(int(self.kept * prompt_tokens), size - 1)


# Rounded from the published statistics: tokens and chunks per query.
STREAMS = {
    "crawler": Stream(median_tokens=550, spread=1.0, longest_tokens=20_000, closing=0.13),
    "anns": Stream(median_tokens=10_000, spread=0.7, longest_tokens=100_000, closing=0.23, kept=0.7),
}


class _NoCosts:
    """The pool never runs short here, so no cost is asked for."""

    def recompute_s(self, tokens: int) -> float:
        return 0.0

    swap_s = recompute_s


class SteadyQueue:
    """`queued` requests before a scheduler, few of them resident, and their chunks between passes."""

    def __init__(self, policy: str, stream: Stream, limits: Limits, queued: int, seed: int):
        self.stream, self.limits, self.queued = stream, limits, queued
        self.random = random.Random(seed)
        self.scheduler = scheduler(policy, "recompute", _NoCosts(), limits)
        self.ledger = Ledger(limits.blocks, limits.host_blocks, limits.block_size)
        self.now_s, self.opened = 0.0, 0
        self.live: list[Request] = []
        for request in self._refill():
            self.scheduler.event(request, OPENED, self.now_s)

    def arrivals(self) -> list[tuple[Request, str]]:
        """New requests for those that left, and chunks: events that the scheduler has not been told yet."""
        opened = self._refill()
        self.now_s += 0.09
        some = self.random.sample(self.live, min(ARRIVALS, self.queued))
        new = set(opened)  # the scheduler does not know them yet
        grown = [request for request in some if not request.closed and request not in new]
        for request in grown:
            self._take_chunk(request)
        return [(request, OPENED) for request in opened] + [(request, CHUNK) for request in grown]

    def apply(self, plan: Plan) -> None:
        """What the executor does; those that are computed leave for good, so that the queue stays as long."""
        for request, tokens, blocks in plan.runs:
            self.ledger.grow(request, blocks)
            request.computed += tokens
            if request.computed == request.prompt:
                request.finished_s = self.now_s
                self.ledger.release(request)

    def _refill(self) -> list[Request]:
        opened = []
        self.live = [request for request in self.live if request.finished_s is None]
        while len(self.live) < self.queued:
            self.now_s += 0.05
            request = Request(self.opened)
            self.opened += 1
            request.opened_s = self.now_s
            self._take_chunk(request)
            opened.append(request)
            self.live.append(request)
        return opened

    def _take_chunk(self, request: Request) -> None:
        request.handed_over_s = request.last_chunk_s = self.now_s
        prompt_tokens, kept_tokens = self.stream.next_prompt(self.random, request.prompt)
        computed = request.computed
        request.change_prompt(prompt_tokens, kept_tokens, self.random.random() < self.stream.closing)
        if kept_tokens < computed:
            self.ledger.trim(request, kept_tokens)
