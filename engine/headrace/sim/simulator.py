"""The virtual-clock engine: sorted chunks against one clock, a scheduler, a ledger of KV blocks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from headrace.kv import Ledger, LedgerError
from headrace.request import Request
from headrace.scheduling.contract import CHUNK, GONE, OPENED, RECOMPUTE, Limits, Plan, Scheduler
from headrace.sim.collector import collector_paused
from headrace.sim.livelock import PATIENCE, LivelockError, names, patience_left


class HandOver(NamedTuple):
    """One chunk reaches the engine: at `time_s` the client's call that hands it over returns.

    `request` is an index into the requests of the run; `prompt_tokens` is the total after the chunk,
    of which `common_prefix_tokens` are kept from the previous prompt; `final` closes the stream.
    """

    time_s: float
    request: int
    prompt_tokens: int
    common_prefix_tokens: int
    final: bool


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did: steps, seconds in which the GPU computed or copied, the end of its clock.

    `refused` are requests larger than the KV pool: they were turned away when that was known.
    """

    steps: int
    busy_s: float
    end_s: float
    refused: list[Request]


class Simulator:
    """Serves hand-overs under a scheduler; deterministic, block accounting and livelock guard always on.

    step_time(runs) -> seconds, for runs [(request, new tokens, blocks)] with `request.computed` still
    the context before the step; swap_time(blocks) -> seconds of a copy in one direction;
    observe(now_s, seconds, plan), if given, sees every plan after it was applied (`seconds` of it,
    `now_s` its end); live_s: seconds that a step takes longer per unfinished request.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        step_time: Callable[[Sequence[tuple[Request, int, int]]], float],
        swap_time: Callable[[int], float],
        limits: Limits,
        observe: Callable[[float, float, Plan], None] | None = None,
        live_s: float = 0.0,
    ):
        self.scheduler, self.limits, self.observe, self.live_s = scheduler, limits, observe, live_s
        self.step_time, self.swap_time = step_time, swap_time
        self.ledger = Ledger(limits.blocks, limits.host_blocks, limits.block_size)
        self.longest = limits.longest_tokens
        self.whole_blocks_of = limits.block_size if limits.whole_blocks else None
        self.live: dict[Request, None] = {}  # opened and unfinished
        self.refused: list[Request] = []

    def run(self, hand_overs: Sequence[HandOver], requests: Sequence[Request]) -> Result:
        """Serve all hand-overs (sorted by time) to the end.

        Raises LivelockError, naming the requests, when no request finishes although the engine works
        and no chunk comes nearer, or when one can't finish (its stream was never closed), and
        LedgerError for a faulty plan.
        """
        with collector_paused():
            return self._serve(hand_overs, requests)

    def _serve(self, hand_overs, requests):
        scheduler, ledger, live = self.scheduler, self.ledger, self.live
        step_time, observe, live_s = self.step_time, self.observe, self.live_s
        budget, block_size = self.limits.token_budget, self.limits.block_size
        now_s = busy_s = 0.0
        steps = plans = taken = progress_at = 0
        alarm, end = PATIENCE, len(hand_overs)
        looked_s = 0.0  # when the guard last looked
        next_s = hand_overs[0][0] if end else inf
        while taken < end or live:
            while next_s <= now_s:
                self._take(hand_overs[taken], requests, now_s)
                taken += 1
                next_s = hand_overs[taken][0] if taken < end else inf
                progress_at, alarm = plans, plans + PATIENCE
            plan = scheduler.plan(now_s, ledger)
            plans += 1
            if plans > alarm:
                if now_s > looked_s and next_s < inf:  # open streams may drive each other out until then
                    looked_s, alarm = now_s, plans + PATIENCE
                else:
                    alarm = progress_at + patience_left(live, budget, plans - progress_at)
            seconds = self._make_room(plan) if plan.evictions or plan.loads else 0.0
            runs = plan.runs
            if not runs:
                if plan.evictions or plan.loads:
                    now_s += seconds
                    busy_s += seconds
                    scheduler.stepped(plan, seconds, now_s)
                    if observe:
                        observe(now_s, seconds, plan)
                else:
                    now_s = self._idle_until(next_s, plan, now_s)
                continue
            for request, tokens, blocks in runs:
                if blocks:
                    ledger.grow(request, blocks)
                if request.computed + tokens > request.blocks * block_size:
                    raise LedgerError(f"{request} runs {tokens} tokens beyond its blocks")
            seconds += step_time(runs) + live_s * len(live)
            now_s += seconds
            busy_s += seconds
            steps += 1
            for request, tokens, _ in runs:
                request.computed_tokens += tokens
                computed = request.computed = request.computed + tokens
                if computed == request.prompt and request.closed:
                    request.output += 1
                    if request.output == 1:
                        request.first_token_s = now_s
                    if request.output == request.output_tokens:
                        request.finished_s = now_s
                        ledger.release(request)
                        del live[request]
                        progress_at, alarm = plans, plans + PATIENCE
                    else:
                        request.prompt += 1  # the token just sampled is computed next
            scheduler.stepped(plan, seconds, now_s)
            if observe:
                observe(now_s, seconds, plan)
        ledger.audit(requests)
        if ledger.free != ledger.blocks or ledger.host_free != ledger.host_blocks:
            raise LedgerError(f"{ledger.blocks - ledger.free} blocks are still held after the last request")
        return Result(steps, busy_s, now_s, self.refused)

    def _take(self, hand_over: HandOver, requests: Sequence[Request], now_s: float) -> None:
        time_s, index, prompt_tokens, common_prefix_tokens, final = hand_over
        request = requests[index]
        kind = CHUNK
        if request.opened_s is None:
            request.opened_s = time_s
            self.live[request] = None
            kind = OPENED
        elif request not in self.live:  # refused before
            return
        kept = request.change_prompt(
            prompt_tokens, common_prefix_tokens, final, self.limits.held_tokens, self.whole_blocks_of
        )
        request.handed_over_s = time_s
        request.last_chunk_s = now_s
        if prompt_tokens + request.output_tokens - 1 > self.longest:
            self._refuse(request, kind, now_s)
            return
        if kept is not None:
            self.ledger.trim(request, kept)
        self.scheduler.event(request, kind, now_s)

    def _refuse(self, request: Request, kind: str, now_s: float) -> None:
        """Turn away a prompt that the pool can't hold: no schedule could ever run it to its end."""
        self.ledger.drop(request)
        del self.live[request]
        self.refused.append(request)
        if kind != OPENED:
            self.scheduler.event(request, GONE, now_s)

    def _make_room(self, plan: Plan) -> float:
        """Apply evictions and loads; returns the seconds of their copies."""
        ledger, swap_time = self.ledger, self.swap_time
        seconds = 0.0
        for victim, how, *_ in plan.evictions:
            if how == RECOMPUTE:
                ledger.release(victim)
                victim.computed = 0
                victim.preemptions_recompute += 1
            else:
                seconds += swap_time(ledger.swap_out(victim))
                victim.preemptions_swap += 1
        for request, blocks in plan.loads:
            seconds += swap_time(ledger.swap_in(request, blocks))
        return seconds

    def _idle_until(self, next_s: float, plan: Plan, now_s: float) -> float:
        """The time of what comes next: a chunk, or the wake-up the scheduler asked for."""
        until_s = next_s if plan.wake_s is None else min(next_s, plan.wake_s)
        if not self.live and next_s == inf:  # the last chunk belonged to a refused request
            return now_s
        if until_s == inf or until_s < now_s:
            never_closed = [request for request in self.live if not request.closed]
            why = "streams were never closed" if never_closed else "requests can never be served"
            raise LivelockError(f"{why}: {names(never_closed or self.live)}")
        return until_s
