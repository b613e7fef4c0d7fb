"""Two-phase scheduling (Stream2LLM, section on scheduling): select by priority, then make room."""

from collections.abc import Iterator

from headrace.kv import Ledger
from headrace.request import Request
from headrace.scheduling.contract import GONE, Limits, Plan
from headrace.scheduling.eviction import Eviction
from headrace.scheduling.order import Order


class Policy:
    """The priority of a request: all that a two-phase scheduler needs to know.

    `key` returns a tuple that is unique per request (end it in the id), smallest first. It may
    depend on `closed`, `opened_s`, `last_chunk_s`, `handed_over_s`, `prompt`, `invalidated_tokens`
    and, if `moves_when_computed` is set, on `computed`.
    """

    moves_when_computed = False

    @staticmethod
    def key(request: Request) -> tuple:
        raise TypeError("a policy defines key(request)")


class TwoPhase:
    """Phase 1 walks the requests with work by priority, with the token budget and ALL blocks of the
    pool; phase 2 hands out blocks to the selected, residents first, and evicts residents that were
    not selected, lowest priority first, where blocks (or slots, see Limits) are short.

    Only requests with something to compute are kept in order, so idle open streams cost nothing.
    """

    def __init__(self, policy: type[Policy], eviction: Eviction, limits: Limits):
        self.order = Order(policy.key)
        self.moves_when_computed = policy.moves_when_computed
        self.eviction = eviction
        self.bounds = limits.token_budget, limits.slots, limits.block_size, limits.blocks_ahead
        self.evict_for_slots = limits.evict_for_slots
        self.resident: dict[Request, None] = {}  # an ordered set: the order of admission

    def event(self, request: Request, kind: str, now_s: float) -> None:
        if kind == GONE:
            self.resident.pop(request, None)
            if request.key is not None:
                self.order.remove(request)
        else:
            self.order.keep(request)

    def plan(self, now_s: float, ledger: Ledger) -> Plan:
        if not self.order.requests:
            return Plan()
        stay, admit = self.select(ledger.blocks)
        return self.make_room(stay, admit, ledger)

    def select(self, pool: int) -> tuple[list, list]:
        """Phase 1, with all `pool` blocks: residents and others that run, each [(request, new tokens, blocks
        in all)], best first."""
        budget, slots, size, ahead = self.bounds
        resident = self.resident
        seats = slots if self.evict_for_slots else slots - len(resident)
        pool -= ahead  # what the next one may need, its pre-allocation set aside
        stay, admit = [], []
        for request in self.order.requests:
            tokens = request.prompt - request.computed
            if tokens > budget:
                tokens = budget
            blocks = (request.computed + tokens + size - 1) // size
            if blocks > pool:
                if pool <= 0:
                    break
                continue
            if request in resident:
                if self.evict_for_slots:
                    if not seats:
                        break
                    seats -= 1
                stay.append((request, tokens, blocks))
            elif seats:
                seats -= 1
                admit.append((request, tokens, blocks))
            elif self.evict_for_slots:
                break  # neither residents nor others get one
            else:
                continue
            pool -= blocks + ahead
            budget -= tokens
            if not budget:
                break
        return stay, admit

    def make_room(self, stay: list, admit: list, ledger: Ledger) -> Plan:
        """Phase 2: blocks for all that were selected; phase 1 has made sure that they exist."""
        _, slots, _, ahead = self.bounds
        free, host_free = ledger.free, ledger.host_free
        seats = slots - len(self.resident)  # every eviction adds one
        runs, evictions, loads, victims = [], [], [], None
        for place, (request, tokens, blocks) in enumerate(stay + admit if admit else stay, -len(stay)):
            grow = blocks - request.blocks
            if grow > 0:
                if grow > free or place >= seats:
                    victims = victims or self.victims(stay)
                    while grow > free or place >= seats:
                        victim = next(victims)
                        how, host_blocks = self.eviction.how(victim, request, tokens, host_free)
                        evictions.append((victim, how, request, tokens))
                        host_free -= host_blocks
                        free += victim.blocks
                        seats += 1
                grow += ahead
                if grow > free:
                    grow = free
                free -= grow
                if request.host_blocks:
                    loads.append((request, grow))
                    grow = 0
            else:
                grow = 0
            runs.append((request, tokens, grow))
        return Plan(runs, evictions, loads)

    def victims(self, stay: list) -> Iterator[Request]:
        """Residents that were not selected: the idle ones, newest first, then by rising priority."""
        selected = {request for request, _, _ in stay}
        for request in reversed(self.resident):
            if request.key is None:
                yield request
        for request in reversed(self.order.requests):
            if request in self.resident and request not in selected:
                yield request

    def stepped(self, plan: Plan, seconds: float, now_s: float) -> None:
        order, resident = self.order, self.resident
        for victim, *_ in plan.evictions:
            del resident[victim]
            order.keep(victim)
        for request, _, _ in plan.runs:
            resident[request] = None
            if request.computed == request.prompt:
                order.remove(request)
                if request.finished_s is not None:
                    del resident[request]
            elif self.moves_when_computed:
                order.put(request)
