"""What holds in every step of every run, under every policy.

A spy between simulator and scheduler checks it.
"""

from itertools import pairwise
from types import SimpleNamespace

import pytest
from cells import AXES, random_cell
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.kv import LedgerError
from headrace.request import Request
from headrace.scheduling import Limits, Plan, scheduler
from headrace.sim import HandOver, LivelockError, Simulator


def state(requests):
    return [tuple(getattr(request, name) for name in Request.__slots__) for request in requests]


def operations(plan):
    return list(plan.evictions), list(plan.loads), list(plan.runs), plan.wake_s


def blocks_for(tokens, limits):
    return -(-tokens // limits.block_size)


class Spy:
    """Passes everything on to a scheduler and checks what it sees."""

    def __init__(self, inner, cell, requests, limits):
        self.inner, self.requests, self.limits = inner, requests, limits
        self.chunks = [[h for h in cell.hand_overs if h[1] == request.id] for request in requests]
        self.known = dict.fromkeys(requests, (0, 0))  # computed and invalidated before a chunk
        self.served = set()  # opened, neither refused nor finished
        self.resident = set()
        self.lost = dict.fromkeys(requests, 0)  # computed tokens thrown away, invalidated ones aside
        self.now_s = 0.0

    def event(self, request, kind, now_s):
        *_, prompt, common, final = self.chunks[request.id].pop(0)
        computed, invalidated = self.known[request]
        assert request.computed <= min(computed, common)
        assert request.invalidated_tokens == invalidated + max(0, computed - common)
        kept = min(computed, common)
        if kept == prompt and (final or self.limits.held_tokens):
            kept -= 1
        if request.computed != computed and self.limits.whole_blocks:
            kept -= kept % self.limits.block_size
            assert (
                max(request.blocks, request.host_blocks) <= kept // self.limits.block_size or kind == "gone"
            )
        assert request.computed == kept
        self.lost[request] += min(computed, common) - kept
        if computed > common:
            held = blocks_for(common, self.limits)
            assert request.blocks <= held
            assert request.host_blocks <= held
        if kind == "gone":
            self.served.discard(request)
            self.resident.discard(request)
            assert request.blocks == request.host_blocks == 0
        else:
            held = 0 if final else self.limits.held_tokens
            assert (request.prompt, request.closed) == (prompt - held, final)
            assert not final or request.computed < prompt
            self.served.add(request)
        self.known[request] = request.computed, request.invalidated_tokens
        self.inner.event(request, kind, now_s)

    def plan(self, now_s, ledger):
        assert now_s >= self.now_s
        self.now_s = now_s
        before = state(self.requests), ledger.free, ledger.host_free
        plan = self.inner.plan(now_s, ledger)
        again = self.inner.plan(now_s, ledger)
        assert (state(self.requests), ledger.free, ledger.host_free) == before
        assert operations(plan) == operations(again)
        self.check(plan)
        return plan

    def check(self, plan):
        evicted = {victim for victim, *_ in plan.evictions}
        running = [request for request, *_ in plan.runs]
        assert len(evicted) == len(plan.evictions)
        assert evicted <= self.resident
        assert len(set(running)) == len(running)
        assert evicted.isdisjoint(running)
        for request, tokens, _ in plan.runs:
            assert 0 < tokens <= request.prompt - request.computed
        assert sum(tokens for _, tokens, _ in plan.runs) <= self.limits.token_budget
        loaded = {request for request, _ in plan.loads}
        assert {r for r in running if r.host_blocks} <= loaded
        assert all(r.host_blocks and r not in self.resident for r in loaded)
        for victim, how, *_ in plan.evictions:
            self.lost[victim] += victim.computed if how == "recompute" else 0
        self.resident = (self.resident - evicted) | loaded | set(running)
        assert len(self.resident) <= self.limits.slots

    def stepped(self, plan, seconds, now_s):
        assert seconds >= 0
        assert now_s >= self.now_s + seconds
        finished = {request for request, *_ in plan.runs if request.finished_s is not None}
        self.resident -= finished
        self.served -= finished
        for request in self.requests:
            self.known[request] = request.computed, request.invalidated_tokens
        self.inner.stepped(plan, seconds, now_s)

    def observe(self, ledger):
        """After a step: every block is free or held by one who may hold it."""
        assert ledger.free + sum(request.blocks for request in self.requests) == self.limits.blocks
        on_host = sum(request.host_blocks for request in self.requests)
        assert ledger.host_free + on_host == self.limits.host_blocks
        assert ledger.free >= 0
        assert ledger.host_free >= 0
        for request in self.requests:
            assert request.blocks == 0 or request in self.resident
            assert request.host_blocks == 0 or request not in self.resident
            assert request.computed <= request.prompt
            if request in self.served:
                reach = (request.blocks or request.host_blocks) * self.limits.block_size
                assert request.computed <= reach


def spied_run(cell):
    """Run a cell under the spy; returns (spy, simulator, result, requests)."""
    limits = Limits(**vars(cell.limits))
    costs = SimpleNamespace(recompute_s=cell.times.recompute_cost, swap_s=cell.times.swap_cost)
    requests = [Request(id, wanted) for id, wanted in enumerate(cell.output_tokens)]
    spy = Spy(scheduler(cell.policy, cell.eviction, costs, limits), cell, requests, limits)
    simulator = Simulator(
        spy,
        lambda runs: cell.times.step_seconds([(tokens, request.computed) for request, tokens, _ in runs]),
        cell.times.swap_seconds,
        limits,
        observe=lambda now_s, seconds, plan: spy.observe(simulator.ledger),
    )
    result = simulator.run([HandOver(*hand_over) for hand_over in cell.hand_overs], requests)
    return spy, simulator, result, requests


@pytest.mark.parametrize("policy", sorted({policy for policy, *_ in AXES}))
@settings(max_examples=200, deadline=None, derandomize=True)
@given(data=st.data())
def test_every_step_of_a_run_is_legal_and_every_request_is_served_or_refused(policy, data):
    eviction = data.draw(st.sampled_from(sorted({eviction for _, eviction, _ in AXES})))
    cell = random_cell(
        data.draw(st.randoms(use_true_random=False)), policy, eviction, data.draw(st.booleans())
    )
    spy, simulator, result, requests = spied_run(cell)
    assert simulator.ledger.free == cell.limits.blocks
    assert simulator.ledger.host_free == cell.limits.host_blocks
    assert result.busy_s <= result.end_s
    for request in requests:
        prompts = [h[2] for h in cell.hand_overs if h[1] == request.id]
        needed = blocks_for(max(prompts) + request.output_tokens - 1, cell.limits) + cell.limits.blocks_ahead
        assert (request in result.refused) == (needed > cell.limits.blocks)
        if request in result.refused:
            assert request.finished_s is None
            assert request.blocks == request.host_blocks == 0
            continue
        times = (
            request.opened_s,
            request.handed_over_s,
            request.last_chunk_s,
            request.first_token_s,
            request.finished_s,
        )
        assert all(earlier <= later for earlier, later in pairwise(times))
        assert request.output == request.output_tokens
        assert request.prompt == prompts[-1] + request.output_tokens - 1
        thrown_away = request.invalidated_tokens + spy.lost[request]
        assert request.computed_tokens == request.prompt + thrown_away


LIMITS = Limits(token_budget=4, slots=2, blocks=8, host_blocks=0, block_size=4, blocks_ahead=1)


def run(hand_overs, planner=None, requests=None, limits=LIMITS):
    requests = requests or [Request(id) for id in range(1 + max(h[1] for h in hand_overs))]
    planner = planner or scheduler("fcfs", "recompute", None, limits)
    simulator = Simulator(planner, lambda runs: 1.0, lambda blocks: 0.0, limits)
    return simulator.run([HandOver(*hand_over) for hand_over in hand_overs], requests)


class Fixed:
    """Plans what a function of the only request says."""

    def __init__(self, plan_for):
        self.plan_for, self.request = plan_for, None

    def event(self, request, kind, now_s):
        self.request = request

    def plan(self, now_s, ledger):
        return self.plan_for(self.request) if self.request else Plan()

    def stepped(self, plan, seconds, now_s):
        pass


def test_a_step_takes_longer_for_every_unfinished_request_idle_ones_too():
    """Stream 0 is open and idle when request 1 comes: its step counts both, the last one only stream 0."""
    seconds = []
    simulator = Simulator(
        scheduler("fcfs", "recompute", None, LIMITS),
        lambda runs: 1.0,
        lambda blocks: 0.0,
        LIMITS,
        observe=lambda now_s, took_s, plan: seconds.append(took_s),
        live_s=0.25,
    )
    hand_overs = [HandOver(0.0, 0, 4, 0, False), HandOver(5.0, 1, 4, 0, True), HandOver(9.0, 0, 8, 4, True)]
    simulator.run(hand_overs, [Request(0), Request(1)])
    assert seconds == [1.25, 1.5, 1.25]


def test_a_scheduler_that_evicts_for_ever_is_stopped_and_the_request_named():
    def compute_half_and_throw_it_away(request):
        if request.computed:
            return Plan(evictions=[(request, "recompute", request, 4)])
        return Plan(runs=[(request, 4, 1)])

    requests = [Request(7)]
    with pytest.raises(LivelockError, match=r"no progress in 10001 steps: request 7 .*preemptions"):
        run([(0.0, 0, 8, 0, True)], Fixed(compute_half_and_throw_it_away), requests)


@pytest.mark.parametrize("policy", ["default_vllm", "fcfs"])
def test_a_long_answer_and_a_long_queue_are_no_livelock(policy):
    answer = [Request(0, output_tokens=15_000)]
    limits = Limits(token_budget=40, slots=2, blocks=20_000, host_blocks=0, block_size=4, blocks_ahead=1)
    planner = scheduler(policy, "recompute", None, limits)
    assert run([(0.0, 0, 8, 0, True)], planner, answer, limits).steps == 15_000
    queue = [(0.0, id, 400, 0, True) for id in range(1_100)]  # 10 steps each
    assert run(queue, scheduler(policy, "recompute", None, limits), limits=limits).steps == 11_000


def test_a_clock_that_stands_still_is_a_livelock_even_before_a_chunk():
    def throw_away_in_no_time(request):
        if request.computed:
            return Plan(evictions=[(request, "recompute", request, 4)])
        return Plan(runs=[(request, 4, 1)])

    requests = [Request(7)]
    planner = Fixed(throw_away_in_no_time)
    simulator = Simulator(planner, lambda runs: 0.0, lambda blocks: 0.0, LIMITS)
    with pytest.raises(LivelockError, match=r"no progress .*request 7 "):
        simulator.run([HandOver(0.0, 0, 8, 0, False), HandOver(9.0, 0, 9, 8, True)], requests)


@pytest.mark.parametrize("policy", ["fcfs", "lcas", "mcps"])
def test_open_streams_that_drive_each_other_out_until_their_last_chunks_come_are_no_livelock(policy):
    """Two streams of 2 blocks and 1 ahead, a pool of 4: whoever computes evicts the idle other one."""
    limits = Limits(token_budget=16, slots=4, blocks=4, host_blocks=0, block_size=4, blocks_ahead=1)
    requests = [Request(0), Request(1)]
    hand_overs = [(0.0, 0, 8, 0, False), (0.0, 1, 8, 0, False)]
    hand_overs += [(30_000.0, 0, 9, 8, True), (30_000.0, 1, 9, 8, True)]
    run(hand_overs, scheduler(policy, "recompute", None, limits), requests, limits)
    assert sum(request.preemptions_recompute for request in requests) > 29_000
    assert all(request.first_token_s > 30_000 for request in requests)


def test_a_scheduler_that_plans_nothing_is_told_who_waits():
    with pytest.raises(LivelockError, match=r"request 0 \(0 of 8 tokens computed"):
        run([(0.0, 0, 8, 0, True)], Fixed(lambda request: Plan()))


class Waking(Fixed):
    """Starts the request at `start_s`, after waking at the times it is given."""

    def __init__(self, start_s, wakes):
        super().__init__(lambda request: Plan(runs=[(request, request.prompt, 2)]))
        self.start_s, self.wakes = start_s, iter(wakes)

    def plan(self, now_s, ledger):
        return super().plan(now_s, ledger) if now_s >= self.start_s else Plan(wake_s=next(self.wakes))


def test_a_scheduler_is_woken_when_it_asks_but_not_after_the_next_chunk():
    requests = [Request(0)]
    run([(1.0, 0, 8, 0, True)], Waking(5.0, [3.0, 2.5, 5.0]), requests)  # at 0 for 1, at 1 for 2.5
    assert requests[0].first_token_s == 6.0


def test_a_scheduler_that_wants_to_wake_in_the_past_is_stopped():
    with pytest.raises(LivelockError, match="request 0"):
        run([(2.0, 0, 8, 0, True)], Waking(5.0, [3.0, 1.0]))


def test_a_scheduler_that_touches_the_account_is_found_out_at_the_end():
    class Grabbing(Fixed):
        def stepped(self, plan, seconds, now_s):
            self.request.blocks = 1

    with pytest.raises(LedgerError, match="1 held and 8 free"):
        run([(0.0, 0, 4, 0, True)], Grabbing(lambda request: Plan(runs=[(request, 4, 1)])))


@pytest.mark.parametrize("policy", sorted({policy for policy, *_ in AXES}))
def test_a_stream_that_is_never_closed_is_named(policy):
    planner = scheduler(policy, "recompute", None, LIMITS)
    with pytest.raises(LivelockError, match=r"never closed: request 1 \(5 of 5 tokens"):
        run([(0.0, 0, 8, 0, True), (1.0, 1, 5, 0, False)], planner)


@pytest.mark.parametrize("policy", sorted({policy for policy, *_ in AXES}))
def test_a_prompt_larger_than_the_pool_is_refused_even_when_it_is_all_there_is(policy):
    planner = scheduler(policy, "recompute", None, LIMITS)
    requests = [Request(0)]
    result = run([(2.0, 0, 29, 0, True)], planner, requests)  # 8 blocks and 1 ahead, of 8
    assert result.refused == requests
    assert (result.steps, result.busy_s, result.end_s) == (0, 0.0, 2.0)
    assert requests[0].finished_s is None


@pytest.mark.parametrize(
    ("plan_for", "problem"),
    [
        (lambda request: Plan(runs=[(request, 4, 9)]), "asks for 9 blocks of 8 free"),
        (lambda request: Plan(runs=[(request, 4, 0)]), "beyond its blocks"),
        (lambda request: Plan(evictions=[(request, "recompute", request, 4)], runs=[(request, 4, -1)]), "-1"),
    ],
)
def test_a_plan_that_does_not_add_up_is_refused(plan_for, problem):
    with pytest.raises(LedgerError, match=problem):
        run([(0.0, 0, 4, 0, True)], Fixed(plan_for))


def test_a_swap_beyond_the_host_pool_is_refused():
    def run_then_swap(request):
        if request.computed:
            return Plan(evictions=[(request, "swap", request, 4)])
        return Plan(runs=[(request, 4, 1)])

    with pytest.raises(LedgerError, match="needs 1 host blocks of 0 free"):
        run([(0.0, 0, 8, 0, True)], Fixed(run_then_swap))
