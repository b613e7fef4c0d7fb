"""The scheduler of stock vLLM 0.32 (V1 engine, FCFS), its streaming sessions included."""

from collections import deque
from itertools import chain

from headrace.errors import HeadraceError
from headrace.kv import Ledger
from headrace.request import Request
from headrace.scheduling.contract import GONE, OPENED, RECOMPUTE, Limits, Plan
from headrace.scheduling.eviction import Eviction
from headrace.scheduling.order import Order


class Vllm032:
    """Stock vLLM 0.32, first in, first out; it only appends and only recomputes, whatever the eviction rule.

    The running list goes first, in its order, with the token budget; where blocks are short the latest
    admitted is evicted, possibly the asking request itself, and goes to the head of the queue. Only a step
    that evicts nobody admits: first resumed sessions, then the queue, and whoever comes first must get in
    before anybody behind. Admission wants blocks for the whole prompt (scheduler_reserve_full_isl), not only
    for what the step computes, and a slot; nothing is allocated ahead.

    A stream is a session: its queued chunks are computed one at a time, each to its end, where a token is
    sampled and thrown away. Then the session leaves the running list, with its blocks, which nobody can
    take from it: with its next chunk it is resumed, in the order in which sessions left; without one it is
    parked, and keeps its slot. So sessions can block each other for ever.

    Prefix caching is off here. Source: vllm/v1/core/sched/scheduler.py of vLLM 0.32.0 (schedule,
    _handle_stopped_request, _update_request_as_session).
    """

    appends_only = only_recomputes = True
    watermark_blocks = 0
    """Blocks that an admission leaves free while others run (vLLM: --watermark, 0 by default)."""

    def __init__(self, eviction: Eviction, limits: Limits):
        """`eviction` is not asked: stock vLLM has no other way than to recompute.

        Raises HeadraceError where limits are the plugin's: stock vLLM holds no token back.
        """
        if limits.held_tokens:
            raise HeadraceError(
                "policy vllm_032",
                "is stock vLLM, which holds no token of a stream back",
                "set held_tokens: 0, or choose another policy for the plugin",
            )
        self.limits = limits
        self.running: dict[Request, None] = {}  # in order of admission
        self.waiting: deque[Request] = deque()
        self.away: dict[Request, int] = {}  # sessions between two chunks -> number of their leaving
        self.resumed = Order(self.away.__getitem__)  # of these, who has a chunk; the others are parked
        self.left = 0
        # Sessions -> prompt tokens after the chunk that is computed (a parked one's last), and after each
        # queued one. A request whose last chunk has its turn is in here no more: its goal is its prompt.
        self.goals: dict[Request, deque[int]] = {}

    def event(self, request: Request, kind: str, now_s: float) -> None:
        if kind == GONE:
            self.forget(request)
        elif kind == OPENED:
            self.waiting.append(request)
            if not request.closed:
                self.goals[request] = deque([request.prompt])
        else:
            self.append(request)

    def append(self, request: Request) -> None:
        """A chunk of a session; a parked one is resumed.

        Raises HeadraceError for a chunk that stock vLLM can't take: no new tokens, or other than before.
        """
        goals = self.goals[request]
        if request.prompt <= goals[-1] or request.invalidated_tokens:
            problem = "has a chunk that adds no token or changes its prompt"
            raise HeadraceError(f"policy vllm_032: request {request.id}", problem, "stock vLLM only appends")
        goals.append(request.prompt)
        if request in self.away and request.key is None:
            self.resume(request)

    def resume(self, request: Request) -> None:
        """The next chunk has its turn."""
        goals = self.goals[request]
        goals.popleft()
        if request.closed and len(goals) == 1:
            del self.goals[request]
        self.resumed.put(request)

    def goal(self, request: Request) -> int:
        """How many tokens of it may be computed by now."""
        goals = self.goals.get(request)
        return goals[0] if goals else request.prompt

    def plan(self, now_s: float, ledger: Ledger) -> Plan:
        size, budget, free = self.limits.block_size, self.limits.token_budget, ledger.free
        runs, evictions, evicted = [], [], set()
        tail = reversed(self.running)
        for request in self.running:
            if not budget or request in evicted:
                break
            tokens = self.goal(request) - request.computed
            if tokens > budget:
                tokens = budget
            grow = (request.computed + tokens + size - 1) // size - request.blocks
            while grow > free and request not in evicted:
                victim = next(tail)
                evictions.append((victim, RECOMPUTE, request, tokens))
                evicted.add(victim)
                free += victim.blocks
            if request in evicted:
                break
            if grow > 0:
                free -= grow
            else:
                grow = 0
            budget -= tokens
            runs.append((request, tokens, grow))
        if budget and not evictions and (self.waiting or self.resumed.requests):
            self.admit(runs, budget, free)
        return Plan(runs, evictions)

    def admit(self, runs: list, budget: int, free: int) -> None:
        """Add to `runs` who gets in: resumed sessions, then the queue; the first that does not ends it."""
        size = self.limits.block_size
        parked = len(self.away) - len(self.resumed.requests)
        seats = self.limits.slots - len(self.running) - parked
        spare = self.watermark_blocks if self.running else 0
        for request in chain(self.resumed.requests, self.waiting):
            if not budget or seats <= 0:
                break
            tokens = self.goal(request) - request.computed
            whole = (request.computed + tokens + size - 1) // size - request.blocks
            if whole + spare > free:
                break
            if tokens > budget:
                tokens = budget
            grow = (request.computed + tokens + size - 1) // size - request.blocks
            seats -= 1
            free -= grow
            budget -= tokens
            spare = self.watermark_blocks
            runs.append((request, tokens, grow))

    def stepped(self, plan: Plan, seconds: float, now_s: float) -> None:
        running, waiting, goals = self.running, self.waiting, self.goals
        for victim, *_ in plan.evictions:
            del running[victim]
            waiting.appendleft(victim)
        for request, _, _ in plan.runs:
            if request not in running:
                if request.key is None:
                    waiting.popleft()
                else:
                    self.resumed.remove(request)
                    del self.away[request]
                running[request] = None
            if request.finished_s is not None:
                self.forget(request)
            elif request in goals and request.computed == goals[request][0]:
                del running[request]
                self.left += 1
                self.away[request] = self.left
                if len(goals[request]) > 1:
                    self.resume(request)

    def forget(self, request: Request) -> None:
        """It is served, or gone."""
        self.goals.pop(request, None)
        if request in self.running:
            del self.running[request]
        elif request in self.away:
            if request.key is not None:
                self.resumed.remove(request)
            del self.away[request]
        else:
            self.waiting.remove(request)
