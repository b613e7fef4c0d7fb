"""What a run did, request by request and step by step, written down as it passes through the scheduler."""

from dataclasses import dataclass, field
from typing import NamedTuple

from headrace.kv import Ledger
from headrace.request import Request
from headrace.scheduling.contract import GONE, RECOMPUTE, SWAP, Plan, Scheduler

WAITING = "waiting for chunks"  # all so far is computed, and more is to come
QUEUED = "waiting for the GPU"  # handed over, and not in a step
RUNNING = "running"
RECOMPUTED = "out by recompute"  # evicted, until it runs again
SWAPPED = "out by swap"  # evicted, until its blocks are back
OUT = {RECOMPUTE: RECOMPUTED, SWAP: SWAPPED}


class Span(NamedTuple):
    """A time in one state, in seconds of the engine's clock."""

    state: str
    start_s: float
    end_s: float


class Step(NamedTuple):
    """One plan as it was applied: new tokens, and the blocks held while it ran and after it.

    Blocks of the GPU pool are counted when all of the plan is granted, before finished requests give
    theirs back (`blocks`), and after that (`blocks_after`).
    """

    start_s: float
    end_s: float
    tokens: int
    blocks: int
    blocks_after: int
    host_blocks: int


@dataclass(slots=True)
class Track:
    """One request from its first hand-over to its end: spans without gaps, and when chunks were there."""

    state: str
    since_s: float
    spans: list[Span] = field(default_factory=list)
    hand_overs_s: list[float] = field(default_factory=list)

    def turn(self, state: str, at_s: float) -> None:
        """Another state begins. Steps that follow one another at once are one span."""
        if at_s > self.since_s:
            last = self.spans[-1] if self.spans else None
            if last and last.state == self.state and last.end_s == self.since_s:
                self.spans[-1] = last._replace(end_s=at_s)
            else:
                self.spans.append(Span(self.state, self.since_s, at_s))
        self.state, self.since_s = state, at_s


class Recorder:
    """A scheduler around another one, which decides; what it decided is in `steps` and `tracks`.

    tracks: by request id. A chunk counts from the return of its hand-over, not from when the engine
    takes it. The seconds of a swap's copies belong to the step that made them. What is undone at the
    same instant (an eviction of the request that asks, for one) leaves no span.
    """

    def __init__(self, scheduler: Scheduler):
        self.scheduler = scheduler
        self.steps: list[Step] = []
        self.tracks: dict[int, Track] = {}
        self.ledger: Ledger | None = None
        self.planned = 0.0, 0  # start (s) and blocks of the plan at hand

    def event(self, request: Request, kind: str, now_s: float) -> None:
        self.scheduler.event(request, kind, now_s)
        at_s = request.handed_over_s
        track = self.tracks.setdefault(request.id, Track(QUEUED, at_s))
        track.hand_overs_s.append(at_s)
        if kind == GONE:
            track.turn(WAITING, now_s)
        elif track.state in (WAITING, QUEUED):
            track.turn(_state(request), max(at_s, track.since_s))

    def plan(self, now_s: float, ledger: Ledger) -> Plan:
        plan = self.scheduler.plan(now_s, ledger)
        granted = sum(blocks for _, _, blocks in plan.runs) + sum(blocks for _, blocks in plan.loads)
        freed = sum(victim.blocks for victim, *_ in plan.evictions)
        self.planned = now_s, ledger.blocks - ledger.free - freed + granted
        self.ledger = ledger
        return plan

    def stepped(self, plan: Plan, seconds: float, now_s: float) -> None:
        self.scheduler.stepped(plan, seconds, now_s)
        start_s, blocks = self.planned
        tracks, ledger = self.tracks, self.ledger
        for victim, how, *_ in plan.evictions:
            tracks[victim.id].turn(OUT[how], start_s)
        for request, _ in plan.loads:
            tracks[request.id].turn(_state(request), start_s)
        for request, _, _ in plan.runs:
            tracks[request.id].turn(RUNNING, start_s)
            tracks[request.id].turn(_state(request), now_s)
        tokens = sum(tokens for _, tokens, _ in plan.runs)
        used_after, host_used = ledger.blocks - ledger.free, ledger.host_blocks - ledger.host_free
        self.steps.append(Step(start_s, now_s, tokens, blocks, used_after, host_used))


def _state(request: Request) -> str:
    """Of a request that is neither in a step nor evicted."""
    return QUEUED if request.computed < request.prompt else WAITING
