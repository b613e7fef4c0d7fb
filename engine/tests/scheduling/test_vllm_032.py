"""Schedules of stock vLLM 0.32 worked by hand, and what it refuses.

Blocks of 4 tokens, none ahead; a step takes 1 s. A hand-over is (time_s, request, prompt_tokens,
common_prefix_tokens, final). Requests are A, B, C = 0, 1, 2. Comments give the blocks held after a step.
"""

from types import SimpleNamespace

import product
import pytest

from headrace.errors import HeadraceError
from headrace.request import Request
from headrace.scheduling import Limits, scheduler
from headrace.scheduling.contract import CHUNK, GONE, OPENED
from headrace.scheduling.policies.vllm_032 import Vllm032
from headrace.sim import HandOver, LivelockError, Simulator

A, B, C = range(3)


def play(hand_overs, *, budget, blocks, slots=8, outputs=(1, 1, 1), eviction="swap"):
    """Steps in words, and the outcome; the eviction rule is there to be ignored."""
    limits = {"host_blocks": 99, "block_size": 4, "blocks_ahead": 0}
    outcome = product.simulate(
        hand_overs,
        outputs[: 1 + max(hand_over[1] for hand_over in hand_overs)],
        SimpleNamespace(token_budget=budget, blocks=blocks, slots=slots, **limits),
        "vllm_032",
        eviction,
        lambda runs: 1.0,
        lambda blocks: 0.5 * blocks,
        None,
        None,
    )
    return [str(step) for step in outcome.trace], outcome


def plain(time_s, request, prompt_tokens):
    return (time_s, request, prompt_tokens, 0, True)


def test_admission_wants_room_for_the_whole_prompt():
    # 0: A4 of 6. The 2 tokens of B that are left of the step would fit, its 12 (3 blocks) do not: it waits,
    # and C behind it. 1: A is done: B3, C1.
    steps, _ = play([plain(0, A, 14), plain(0, B, 12), plain(0, C, 4)], budget=16, blocks=6)
    assert steps == ["0: run 0+14", "1: run 1+12, run 2+4"]


def test_blocks_ahead_are_not_handed_out():
    # Both prompts fill the pool to the last block.
    steps, _ = play([plain(0, A, 8), plain(0, B, 8)], budget=16, blocks=4)
    assert steps == ["0: run 0+8, run 1+8"]


@pytest.mark.parametrize(("watermark_blocks", "started_s"), [(0, [0, 0, 0]), (1, [0, 0, 1])])
def test_an_admission_leaves_the_watermark_free_unless_nobody_runs(watermark_blocks, started_s):
    # A2, B1 and C1 fill the pool; with a watermark of 1 C does not get in beside the others.
    limits = Limits(token_budget=99, slots=8, blocks=4, host_blocks=0, block_size=4, blocks_ahead=0)
    planner = scheduler("vllm_032", "recompute", None, limits)
    planner.watermark_blocks = watermark_blocks
    requests = [Request(id) for id in (A, B, C)]
    hand_overs = [HandOver(*each) for each in (plain(0, A, 8), plain(0, B, 4), plain(0, C, 4))]
    Simulator(planner, lambda runs: 1.0, None, limits).run(hand_overs, requests)
    assert [request.first_token_s - 1 for request in requests] == started_s
    whole = [Request(A)]  # alone it may have the whole pool
    hand_overs = [HandOver(*plain(9, A, 16))]
    assert Simulator(planner, lambda runs: 1.0, None, limits).run(hand_overs, whole).end_s == 10


def test_the_latest_admitted_is_recomputed_whatever_the_rule_and_nobody_is_admitted_in_that_step():
    # 0: A2 B2, full; C has no budget left. 1: A's second output needs a third block: B goes; C waits, though
    # a block is free. 2: B's 9 tokens need 3 blocks: it waits at the head of the queue, and C behind it.
    # 3: A has its three outputs. B3 C1.
    steps, outcome = play(
        [plain(0, A, 8), plain(0, B, 8), plain(0, C, 1)], budget=16, blocks=4, outputs=(3, 2, 1)
    )
    assert steps == [
        "0: run 0+8, run 1+8",
        "1: evict 1 recompute for 0+1, run 0+1",
        "2: run 0+1",
        "3: run 1+9, run 2+1",
    ]
    assert [request.preemptions_recompute for request in outcome.requests] == [0, 1, 0]
    assert [request.preemptions_swap for request in outcome.requests] == [0, 0, 0]


def test_who_asks_may_be_the_latest_admitted_and_goes_itself():
    # 0: C1, parked from 1 on. 2: A1, full. 3: A's second output needs a block, C's can't be taken: A goes,
    # and its 5 tokens do not fit beside C. 9: C's last chunk, C2. 10: C is done, A2.
    hand_overs = [(0, C, 4, 0, False), plain(2, A, 4), (9, C, 5, 4, True)]
    steps, outcome = play(hand_overs, budget=8, blocks=2, outputs=(2, 1, 1))
    assert steps == [
        "0: run 2+4",
        "2: run 0+4",
        "3: evict 0 recompute for 0+1",
        "9: run 2+1",
        "10: run 0+5",
    ]
    assert outcome.requests[A].computed_tokens == 4 + 5


def test_queued_chunks_are_computed_one_after_the_other():
    hand_overs = [(0, A, 4, 0, False), (0, A, 6, 4, False), (0.5, A, 9, 6, True)]
    steps, outcome = play(hand_overs, budget=99, blocks=9, outputs=(2,))
    assert steps == ["0: run 0+4", "1: run 0+2", "2: run 0+3", "3: run 0+1"]
    assert (outcome.requests[A].first_token_s, outcome.requests[A].finished_s) == (3, 4)


def test_a_chunk_is_computed_to_its_end_before_the_next_however_many_steps_it_takes():
    hand_overs = [(0, A, 4, 0, False), (0, A, 12, 4, True)]
    steps, _ = play(hand_overs, budget=3, blocks=9)
    assert steps == ["0: run 0+3", "1: run 0+1", "2: run 0+3", "3: run 0+3", "4: run 0+2"]


def test_resumed_sessions_go_before_the_queue_in_the_order_in_which_they_left():
    # A left in step 0, B in step 1. Their chunks come in the other order, C before both: A, B, C.
    hand_overs = [(0, A, 4, 0, False), (0.5, B, 4, 0, False)]
    hand_overs += [plain(2, C, 4), (2, B, 8, 4, True), (2, A, 8, 4, True)]
    steps, _ = play(hand_overs, budget=5, blocks=9)
    assert steps == ["0: run 0+4", "1: run 1+4", "2: run 0+4, run 1+1", "3: run 1+3, run 2+2", "4: run 2+2"]


def test_a_resumed_session_that_does_not_fit_blocks_the_queue():
    # B1 and A2 are parked, 1 block is free. 2: A's chunk needs 2: it waits, and C, which fits, behind it.
    # 8: B left before A, and its chunk fits into the block it has. 9: B is done, A4. 10: A is done, C1.
    hand_overs = [(0, B, 2, 0, False), (0.5, A, 8, 0, False)]
    hand_overs += [(2, A, 16, 8, True), plain(3, C, 4), (8, B, 4, 2, True)]
    steps, _ = play(hand_overs, budget=99, blocks=4)
    assert steps == ["0: run 1+2", "1: run 0+8", "8: run 1+2", "9: run 0+8", "10: run 2+4"]


def test_a_parked_session_keeps_its_slot_and_a_resumed_one_that_waits_does_not():
    hand_overs = [(0, A, 4, 0, False), plain(1, B, 4), (5, A, 8, 4, True)]
    steps, _ = play(hand_overs, budget=99, blocks=9, slots=1)
    assert steps == ["0: run 0+4", "5: run 0+4", "6: run 1+4"]


def test_two_sessions_that_outgrow_the_pool_block_each_other_and_are_named():
    hand_overs = [(0, A, 8, 0, False), (0, B, 8, 0, False), (5, A, 16, 8, True), (6, B, 16, 8, True)]
    with pytest.raises(LivelockError, match=r"request 0 \(8 of 16 .*request 1 \(8 of 16"):
        play(hand_overs, budget=99, blocks=5)
    limits = Limits(token_budget=99, slots=8, blocks=5, host_blocks=0, block_size=4, blocks_ahead=0)
    fcfs = Simulator(scheduler("fcfs", "recompute", None, limits), lambda runs: 1.0, None, limits)
    assert fcfs.run([HandOver(*each) for each in hand_overs], [Request(A), Request(B)]).steps > 0


PARKED = [(0, A, 4, 0, False)]
GOING = {
    "waiting": [plain(0, C, 8), *PARKED],
    "running": [(0, A, 8, 0, False)],
    "parked": PARKED,
    "resumed": [*PARKED, plain(0, C, 12), (0.5, A, 8, 4, False)],
}


@pytest.mark.parametrize("state", GOING)
def test_a_request_that_is_gone_leaves_no_trace(state):
    """A outgrows the pool and is refused, wherever it is; B comes behind it and is served."""
    limits = Limits(token_budget=6, slots=2, blocks=4, host_blocks=0, block_size=4, blocks_ahead=0)
    last = max(hand_over for hand_over in GOING[state] if hand_over[1] == A)
    hand_overs = [*GOING[state], (0.75, A, 99, last[2], True), plain(0.75, B, 4)]
    requests, found = [Request(id) for id in (A, B, C)], []

    class Watched(Vllm032):
        def event(self, request, kind, now_s):
            if kind == GONE:
                places = {"waiting": self.waiting, "running": self.running, "resumed": self.resumed.requests}
                found.extend(name for name, place in places.items() if request in place)
            super().event(request, kind, now_s)

    planner = Watched(None, limits)
    result = Simulator(planner, lambda runs: 1.0, None, limits).run(
        [HandOver(*each) for each in hand_overs], requests
    )
    assert found == ([] if state == "parked" else [state])
    assert result.refused == [requests[A]]
    assert requests[B].finished_s is not None
    assert not (planner.running or planner.waiting or planner.away or planner.goals or planner.resumed.keys)


@pytest.mark.parametrize(
    ("prompt", "common", "final"), [(6, 2, False), (4, 2, True), (4, 4, True), (4, 4, False), (3, 3, True)]
)
def test_a_chunk_that_stock_vllm_cannot_take_is_one_line(prompt, common, final):
    planner = scheduler("vllm_032", "recompute", None, Limits(8, 8, 8, 0, 4, 0))
    request = Request(7)
    request.change_prompt(4, 0, False)
    planner.event(request, OPENED, 0.0)
    (run,) = planner.plan(0.0, Simulator(planner, None, None, planner.limits).ledger).runs
    request.computed = 4
    planner.stepped(SimpleNamespace(evictions=(), runs=[run]), 1.0, 1.0)
    request.change_prompt(prompt, common, final)
    with pytest.raises(HeadraceError, match=r"request 7: .*stock vLLM only appends") as error:
        planner.event(request, CHUNK, 1.0)
    assert "\n" not in str(error.value)
    planner.event(request, GONE, 1.0)
