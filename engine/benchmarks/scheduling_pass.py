"""One scheduling pass with q requests queued: what it costs to order them and to plan a step.

Three forms, timed in the same process:
- amortised: the scheduler keeps its order; a pass is three chunk arrivals, a plan and the re-filing;
- from scratch: all q requests are sorted by the policy's key, then planned;
- published shape: as the artifact does it (two lists sorted by a key that looks up the request,
  every request walked, membership tests in lists).
"""

import random
from collections.abc import Iterator
from statistics import median
from time import perf_counter_ns

from headrace.kv import Ledger
from headrace.request import Request
from headrace.scheduling import CHUNK, OPENED, Limits, Policy, load, scheduler

LIMITS = Limits(token_budget=8192, slots=1_000_000, blocks=97_000, host_blocks=0)


class _NoCosts:
    """The pool never runs short here, so no cost is asked for."""

    def recompute_s(self, tokens: int) -> float:
        return 0.0

    swap_s = recompute_s


class _Queue:
    """A steady state: q requests with work, some of them resident, chunk sizes as on the crawler."""

    def __init__(self, policy: str, queued: int, seed: int):
        self.random = random.Random(seed)
        self.scheduler = scheduler(policy, "recompute", _NoCosts(), LIMITS)
        self.ledger = Ledger(LIMITS.blocks, LIMITS.host_blocks, LIMITS.block_size)
        self.queued, self.now_s, self.opened = queued, 0.0, 0
        self.live: list[Request] = []
        while len(self.live) < queued:
            self.open()

    def chunk_tokens(self) -> int:
        return 30 + min(int(self.random.lognormvariate(6.3, 1)), 20_000)

    def open(self) -> None:
        self.now_s += 0.05
        request = Request(self.opened)
        self.opened += 1
        request.opened_s = request.handed_over_s = request.last_chunk_s = self.now_s
        request.change_prompt(self.chunk_tokens(), 0, self.random.random() < 0.1)
        self.live.append(request)
        self.scheduler.event(request, OPENED, self.now_s)

    def grow(self, requests: int) -> list[Request]:
        """Chunks arrive; the scheduler has not been told yet."""
        self.now_s += 0.09
        grown = [r for r in self.random.sample(self.live, requests) if not r.closed]
        for request in grown:
            request.handed_over_s = request.last_chunk_s = self.now_s
            request.change_prompt(
                request.prompt + self.chunk_tokens(), request.prompt, self.random.random() < 0.13
            )
        return grown

    def apply(self, plan) -> None:
        """What the executor does; those that are done leave for good, so that q stays what it is."""
        for request, tokens, blocks in plan.runs:
            self.ledger.grow(request, blocks)
            request.computed += tokens
            if request.computed == request.prompt:
                request.finished_s = self.now_s
                self.ledger.release(request)

    def refill(self) -> None:
        self.live = [request for request in self.live if request.finished_s is None]
        while len(self.live) < self.queued:
            self.open()


def amortised(policy: str, queued: int, passes: int, seed: int = 0) -> list[float]:
    """Microseconds of each pass; what the executor does between planning and re-filing is not timed."""
    queue = _Queue(policy, queued, seed)
    planner, times = queue.scheduler, []
    for _ in range(passes):
        grown = queue.grow(min(3, queued))
        start = perf_counter_ns()
        for request in grown:
            planner.event(request, CHUNK, queue.now_s)
        plan = planner.plan(queue.now_s, queue.ledger)
        planned = perf_counter_ns()
        queue.apply(plan)
        applied = perf_counter_ns()
        planner.stepped(plan, 0.1, queue.now_s)
        times.append((planned - start + perf_counter_ns() - applied) / 1e3)
        queue.refill()
    return times


def from_scratch(policy: str, queued: int, passes: int, seed: int = 0) -> list[float]:
    """Microseconds to sort all queued requests and plan; two-phase policies only."""
    times = []
    for queue, key in _states(policy, queued, passes, seed):
        start = perf_counter_ns()
        queue.scheduler.order.requests = sorted(queue.live, key=key)
        queue.scheduler.plan(queue.now_s, queue.ledger)
        times.append((perf_counter_ns() - start) / 1e3)
    return times


def published_shape(policy: str, queued: int, passes: int, seed: int = 0) -> list[float]:
    """Microseconds of a pass that does the published work in the published way; two-phase policies."""
    times = []
    for queue, key in _states(policy, queued, passes, seed):
        by_id = {request.id: request for request in queue.live}
        running = list(queue.scheduler.resident)
        waiting = [request for request in queue.live if request not in queue.scheduler.resident]
        start = perf_counter_ns()
        _published_pass(by_id, waiting, running, key, policy != "mcps")
        times.append((perf_counter_ns() - start) / 1e3)
    return times


def _published_pass(by_id, waiting, running, key, tiers: bool) -> tuple[list, list]:
    requests = waiting + running
    full = [r.id for r in requests if r.closed or not tiers]
    partial = [r.id for r in requests if tiers and not r.closed]
    full.sort(key=lambda id: key(by_id[id]))
    partial.sort(key=lambda id: key(by_id[id]) if by_id[id].prompt > by_id[id].computed else (2, 0, 0, 0))
    budget, pool, selected, left = LIMITS.token_budget, LIMITS.blocks, [], []
    for id in full + partial:
        request = by_id[id]
        tokens = min(request.prompt - request.computed, budget)
        need = -(-(request.computed + tokens) // LIMITS.block_size) + LIMITS.blocks_ahead
        if tokens <= 0 or need > pool:
            left.append(request)
            continue
        pool -= need
        budget -= tokens
        selected.append(request)
    kept = [request for request in selected if request in running]
    return kept, [request for request in selected if request not in kept] + left


def _states(policy: str, queued: int, passes: int, seed: int) -> Iterator[tuple[_Queue, object]]:
    """The states of a queue between steps, with the key of its policy."""
    cls = load(policy)
    if not issubclass(cls, Policy):
        raise TypeError(f"{policy} is not a two-phase policy")
    queue = _Queue(policy, queued, seed)
    order = queue.scheduler.order
    for _ in range(passes):
        for request in queue.grow(min(3, queued)):
            queue.scheduler.event(request, CHUNK, queue.now_s)
        kept = order.requests
        yield queue, cls.key
        order.requests = kept
        plan = queue.scheduler.plan(queue.now_s, queue.ledger)
        queue.apply(plan)
        queue.scheduler.stepped(plan, 0.1, queue.now_s)
        queue.refill()


def medians(policy: str, queued: int, passes: int = 1000) -> dict[str, float]:
    """Median microseconds of a pass in each form that the policy has."""
    forms = [amortised]
    if issubclass(load(policy), Policy):
        forms += [from_scratch, published_shape]
    return {form.__name__: median(form(policy, queued, passes)[passes // 10 :]) for form in forms}
