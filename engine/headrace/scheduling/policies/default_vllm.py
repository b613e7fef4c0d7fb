"""The scheduler of vLLM 0.8.1 (V1 engine): the running list in order, then the waiting queue."""

from collections import deque

from headrace.kv import Ledger
from headrace.request import Request
from headrace.scheduling.contract import GONE, OPENED, Limits, Plan
from headrace.scheduling.eviction import Eviction
from headrace.scheduling.order import Order


class Vllm081:
    """vLLM's own order, as of 0.8.1: the running list, then the waiting queue, first in, first out.

    Residents run in the order of their admission; where blocks are short the latest admitted is
    evicted, possibly the asking request itself, and goes to the head of the queue. The queue is
    served only in a step that evicts nobody; a request that does not fit blocks those behind it.
    """

    def __init__(self, eviction: Eviction, limits: Limits):
        self.eviction, self.limits = eviction, limits
        self.waiting: deque[Request] = deque()
        self.resident: dict[Request, int] = {}  # request -> number of its admission, in that order
        self.ready = Order(self.resident.__getitem__)  # residents with something to compute
        self.admissions = 0

    def event(self, request: Request, kind: str, now_s: float) -> None:
        if kind == OPENED:
            self.waiting.append(request)
        elif request in self.resident:
            if kind == GONE:
                self.leave(request)
            else:
                self.ready.keep(request)
        elif kind == GONE:
            self.waiting.remove(request)

    def plan(self, now_s: float, ledger: Ledger) -> Plan:
        size, ahead = self.limits.block_size, self.limits.blocks_ahead
        budget, free = self.limits.token_budget, ledger.free
        selected = []
        for request in self.ready.requests:
            tokens = request.prompt - request.computed
            if tokens > budget:
                tokens = budget
            selected.append((request, tokens))
            budget -= tokens
            if not budget:
                break
        runs = []
        for request, tokens in selected:
            grow = (request.computed + tokens + size - 1) // size - request.blocks
            if grow > free:
                return self.evict(selected, runs, free, ledger.host_free)
            if grow > 0:
                grow += ahead
                if grow > free:
                    grow = free
                free -= grow
            else:
                grow = 0
            runs.append((request, tokens, grow))
        if budget and self.waiting:
            return self.admit(runs, budget, free)
        return Plan(runs)

    def admit(self, runs: list, budget: int, free: int) -> Plan:
        """Fill what is left of the step from the head of the queue.

        A swapped-out stream with nothing to compute is loaded and becomes resident without a run.
        """
        size, ahead = self.limits.block_size, self.limits.blocks_ahead
        seats = self.limits.slots - len(self.resident)
        loads = []
        for request in self.waiting:
            if not budget or not seats:
                break
            tokens = request.prompt - request.computed
            if not tokens and not request.host_blocks:
                continue  # all that is there is held back
            if tokens > budget:
                tokens = budget
            grow = (request.computed + tokens + size - 1) // size
            if grow > free:
                break
            grow += ahead
            if grow > free:
                grow = free
            free -= grow
            seats -= 1
            budget -= tokens
            if request.host_blocks:
                loads.append((request, grow))
                grow = 0
            if tokens:
                runs.append((request, tokens, grow))
        return Plan(runs, (), loads)

    def evict(self, selected: list, runs: list, free: int, host_free: int) -> Plan:
        """Blocks ran short at `selected[len(runs)]`: evict from the tail until it fits or is evicted."""
        size, ahead = self.limits.block_size, self.limits.blocks_ahead
        tail, evicted, evictions = reversed(self.resident), set(), []
        for request, tokens in selected[len(runs) :]:
            grow = (request.computed + tokens + size - 1) // size - request.blocks
            while grow > free and request not in evicted:
                victim = next(tail)
                how, host_blocks = self.eviction.how(victim, request, tokens, host_free)
                evictions.append((victim, how, request, tokens))
                evicted.add(victim)
                host_free -= host_blocks
                free += victim.blocks
            if request in evicted:
                break
            if grow > 0:
                grow = min(grow + ahead, free)
                free -= grow
            runs.append((request, tokens, max(grow, 0)))
        return Plan(runs, evictions)

    def stepped(self, plan: Plan, seconds: float, now_s: float) -> None:
        for victim, *_ in plan.evictions:
            self.leave(victim)
            self.waiting.appendleft(victim)
        waiting, ready, resident = self.waiting, self.ready, self.resident
        skipped = []
        while waiting:
            if waiting[0].blocks or waiting[0].finished_s is not None:
                self.admissions += 1  # who holds blocks now has left the queue
                resident[waiting.popleft()] = self.admissions
            elif waiting[0].computed == waiting[0].prompt and not waiting[0].host_blocks:
                skipped.append(waiting.popleft())
            else:
                break
        waiting.extendleft(reversed(skipped))
        for request, _, _ in plan.runs:
            if request.computed < request.prompt:
                if request.key is None:
                    ready.put(request)
            else:
                if request.key is not None:
                    ready.remove(request)
                if request.finished_s is not None:
                    del resident[request]

    def leave(self, request: Request) -> None:
        """Lose the slot."""
        if request.key is not None:
            self.ready.remove(request)
        del self.resident[request]
