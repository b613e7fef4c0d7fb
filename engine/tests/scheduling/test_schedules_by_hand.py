"""Small schedules worked by hand, step by step.

Unless a test says otherwise: blocks of 4 tokens with 1 block ahead; a step takes 1 s; a copy between GPU and
host takes 0.5 s per block. A hand-over is (time_s, request, prompt_tokens, common_prefix_tokens, final).
Requests are A, B, C, D = 0, 1, 2, 3. The comments give the blocks held after each step ("A3": request A holds
3) and how many are free. Every schedule runs on the product and on the reference simulator.
"""

from types import SimpleNamespace

import product
import pytest
import reference

ENGINES = {"product": product.simulate, "reference": reference.simulate}
A, B, C, D = range(4)


@pytest.fixture(params=ENGINES)
def play(request):
    def run(hand_overs, policy, *, budget, blocks, eviction="recompute", outputs=(1, 1, 1, 1), **more):
        limits = {"slots": 8, "host_blocks": 0, "block_size": 4, "blocks_ahead": 1}
        limits |= {"held_tokens": 0, "whole_blocks": False, "evict_for_slots": False} | more
        costs = limits.pop("costs", (lambda n: n, lambda n: 10))
        used = 1 + max(hand_over[1] for hand_over in hand_overs)
        return ENGINES[request.param](
            hand_overs,
            outputs[:used],
            SimpleNamespace(token_budget=budget, blocks=blocks, **limits),
            policy,
            eviction,
            lambda runs: 1.0,
            lambda blocks: 0.5 * blocks,
            *costs,
        )

    return run


def steps(outcome):
    return [str(step) for step in outcome.trace]


def each(outcome, name):
    return [getattr(request, name) for request in outcome.requests]


def closed(time_s, request, prompt_tokens):
    return (time_s, request, prompt_tokens, 0, True)


def test_default_vllm_a_waiting_request_that_does_not_fit_blocks_the_ones_behind_it(play):
    # 0: A grows by 2 and takes 1 ahead (A3, free 3); B needs 4 > 3: stop, though C would fit with 1.
    # 1: A is gone (free 6). B takes 4+1 (free 1), C takes its 1 and nothing ahead (free 0).
    outcome = play([closed(0, A, 8), closed(0, B, 16), closed(0, C, 4)], "default_vllm", budget=24, blocks=6)
    assert steps(outcome) == ["0: run 0+8", "1: run 1+16, run 2+4"]
    assert each(outcome, "first_token_s") == each(outcome, "finished_s") == [1, 2, 2]
    assert (outcome.steps, outcome.busy_s, outcome.end_s) == (2, 2, 2)


def test_default_vllm_preempts_the_latest_admitted_and_puts_it_at_the_head_of_the_queue(play):
    # 0: A3 B3, free 0. 1: A and B are idle; C has arrived and finds no block. Nothing to do until 2.
    # 2: A needs a 4th block: B, the tail, gives its 3 back; A takes 1+1 (A5, free 1); B's own run is off, and
    #    nothing is admitted in a step that evicted.
    # 3: A is gone. B stands before C: 4+1 blocks, all 16 tokens of the budget. 4: C.
    hand_overs = [(0, A, 8, 0, False), (0, B, 8, 0, False), closed(1, C, 4)]
    hand_overs += [(2, A, 16, 8, True), (2, B, 16, 8, True)]
    outcome = play(hand_overs, "default_vllm", budget=16, blocks=6)
    assert steps(outcome) == [
        "0: run 0+8, run 1+8",
        "2: evict 1 recompute for 0+8, run 0+8",
        "3: run 1+16",
        "4: run 2+4",
    ]
    assert each(outcome, "first_token_s") == [3, 4, 5]
    assert each(outcome, "preemptions_recompute") == [0, 1, 0]
    assert each(outcome, "computed_tokens") == [16, 24, 4]
    assert each(outcome, "opened_s") == [0, 0, 1]
    assert each(outcome, "handed_over_s") == each(outcome, "last_chunk_s") == [2, 2, 1]
    assert (outcome.steps, outcome.busy_s, outcome.end_s) == (4, 4, 5)


def test_default_vllm_a_request_can_preempt_itself(play):
    # 0: A3 B3, free 0. 2: B wants a 4th block and is itself the tail: it goes to the host (2 blocks, 1 s); no
    #    run, the clock stands at 3. 3: A is idle, B would need 4 > 3 free. Wait for A's last chunk.
    # 4: A computes 9..12 in the 3 blocks it has; B still does not fit. 5: A is gone; B comes back (2 blocks
    #    in, 1 s) with 4+1 new ones and runs: 5+1+1 = 7.
    hand_overs = [(0, A, 8, 0, False), (0, B, 8, 0, False), (2, B, 16, 8, True), (4, A, 12, 8, True)]
    outcome = play(hand_overs, "default_vllm", budget=16, blocks=6, eviction="swap", host_blocks=4)
    assert steps(outcome) == [
        "0: run 0+8, run 1+8",
        "2: evict 1 swap for 1+8",
        "4: run 0+4",
        "5: load 1:2, run 1+8",
    ]
    assert each(outcome, "first_token_s") == [5, 7]
    assert each(outcome, "preemptions_swap") == [0, 1]
    assert each(outcome, "computed_tokens") == [12, 16]
    assert outcome.busy_s == 1 + 1 + 1 + 2


THREE_STREAMS = [(0, A, 8, 0, False), (0, B, 8, 0, False), (0, C, 8, 0, False)]
THREE_STREAMS += [(2, A, 16, 8, True), (2, B, 16, 8, True), (10, C, 12, 8, True)]


def test_default_vllm_brings_an_idle_stream_back_without_running_it(play):
    # 0: A3 B3 C3, free 0. 2: A needs a 4th: C, idle and the tail, goes to the host (1 s); A takes 1+1 (free
    #    1); B takes its 1, none ahead. 2+1+1 = 4: A and B are done.
    # 4: C has nothing to compute, yet it is loaded and resident again: 2 in (1 s), 2+1 blocks. 10: its last
    #    4.
    outcome = play(THREE_STREAMS, "default_vllm", budget=24, blocks=9, eviction="swap", host_blocks=8)
    assert steps(outcome) == [
        "0: run 0+8, run 1+8, run 2+8",
        "2: evict 2 swap for 0+8, run 0+8, run 1+8",
        "4: load 2:2",
        "10: run 2+4",
    ]
    assert each(outcome, "first_token_s") == [4, 4, 11]
    assert outcome.busy_s == 1 + 2 + 1 + 1


def test_default_vllm_recomputes_an_idle_stream_that_lost_its_blocks(play):
    # As above, but C loses its 8 tokens in step 2 (now 3 s) and computes them again at 3.
    outcome = play(THREE_STREAMS, "default_vllm", budget=24, blocks=9)
    assert steps(outcome) == [
        "0: run 0+8, run 1+8, run 2+8",
        "2: evict 2 recompute for 0+8, run 0+8, run 1+8",
        "3: run 2+8",
        "10: run 2+4",
    ]
    assert each(outcome, "first_token_s") == [3, 3, 11]
    assert each(outcome, "computed_tokens") == [16, 16, 20]


@pytest.mark.parametrize("policy", ["fcfs", "lcas", "mcps"])
def test_two_phase_a_request_that_does_not_fit_is_skipped(play, policy):
    # The same three. 0: A needs 2+1 of the pool of 6; B needs 4+1 > 3 left: skipped; C needs 1+1. 1: B.
    outcome = play([closed(0, A, 8), closed(0, B, 16), closed(0, C, 4)], policy, budget=24, blocks=6)
    assert steps(outcome) == ["0: run 0+8, run 2+4", "1: run 1+16"]
    assert each(outcome, "first_token_s") == [1, 2, 1]


def test_fcfs_closed_streams_come_first_and_residents_are_allocated_first(play):
    # 0: A takes the whole budget. 1: B (closed) is before A; A (opened at 0) before C (opened at 0.5): B 6,
    #    A 2 of its 4, and the budget is used up; A is resident, so it is allocated and run before B.
    # 2: A 2, C 6. 3: C 2. 6: A's prompt is 13 now: 1 token left.
    hand_overs = [(0, A, 12, 0, False), closed(0.25, B, 6), (0.5, C, 8, 0, False)]
    hand_overs += [(6, A, 13, 12, True), (6, C, 10, 8, True)]
    outcome = play(hand_overs, "fcfs", budget=8, blocks=100)
    assert steps(outcome) == [
        "0: run 0+8",
        "1: run 0+2, run 1+6",
        "2: run 0+2, run 2+6",
        "3: run 2+2",
        "6: run 0+1, run 2+2",
    ]
    assert each(outcome, "first_token_s") == [7, 2, 7]
    assert each(outcome, "last_chunk_s") == [6, 1, 6]
    assert each(outcome, "handed_over_s") == [6, 0.25, 6]


def test_lcas_orders_by_the_time_the_chunk_was_taken_then_by_its_hand_over(play):
    # 1: B (handed over at 0.5) and A's second chunk (at 1) are both taken at 1: B's hand-over is older: B 8.
    # 2: B 8 of 16 left against A 12 left: B again. 3: C is closed: C 4, then A 4; A is resident: allocated
    #    first.
    # 4: A 8. 6: A closes with nothing left: its last token again; B has 2 left. Same times: A before B by id.
    hand_overs = [(0, A, 4, 0, False), (0.5, B, 16, 0, False), (1, A, 16, 4, False), closed(2.5, C, 4)]
    hand_overs += [(6, A, 16, 16, True), (6, B, 18, 16, True)]
    outcome = play(hand_overs, "lcas", budget=8, blocks=100)
    assert steps(outcome) == [
        "0: run 0+4",
        "1: run 1+8",
        "2: run 1+8",
        "3: run 0+4, run 2+4",
        "4: run 0+8",
        "6: run 0+1, run 1+2",
    ]
    assert each(outcome, "first_token_s") == [7, 7, 4]
    assert each(outcome, "computed_tokens") == [17, 18, 4]
    assert each(outcome, "invalidated_tokens") == [0, 0, 0]


def test_mcps_orders_by_computed_tokens_whether_closed_or_not(play):
    # 0: B 8. 1: A, C, D are at 0; A was opened first (0.5): A 8. 2: an update leaves B 4 of its 8 tokens and
    #    12 to compute: A (8 computed) is before B (4): A 8. 3: A's last 4, B 4. 4: B (8 computed, open) is
    #    before C and D (0, closed): B 8. 5: D was opened before C: D 8. 6: C 4. 7: B closes with 2 more.
    hand_overs = [(0, B, 8, 0, False), closed(0.5, A, 20), closed(0.6, D, 8), closed(0.75, C, 4)]
    hand_overs += [(2, B, 16, 4, False), (7, B, 18, 16, True)]
    outcome = play(hand_overs, "mcps", budget=8, blocks=100)
    assert steps(outcome) == [
        "0: run 1+8",
        "1: run 0+8",
        "2: run 0+8",
        "3: run 0+4, run 1+4",
        "4: run 1+8",
        "5: run 3+8",
        "6: run 2+4",
        "7: run 1+2",
    ]
    assert each(outcome, "first_token_s") == [4, 8, 7, 6]
    assert each(outcome, "invalidated_tokens") == [0, 4, 0, 0]
    assert each(outcome, "computed_tokens") == [20, 8 + 4 + 8 + 2, 4, 8]


# A and B idle with 3 blocks each, C idle with 5, 1 of 12 free, when D (8 tokens, 2 blocks) arrives at 2. The
# victim is C: idle like A and B, but admitted last; it has 16 tokens = 4 blocks computed.
FOUR_STREAMS = [(0, A, 8, 0, False), (0, B, 8, 0, False), (1, C, 16, 0, False), closed(2, D, 8)]
FOUR_STREAMS += [(8, A, 9, 8, True), (8, B, 9, 8, True), (8, C, 20, 16, True)]

# 2: C gives 5 blocks: D takes 2+1 (free 3); D is done at 3 (free 6). 3: C again from 0: 4+1 blocks (free 1).
# 8: all three close. A needs 3+1 of the pool of 12, B 3+1, C 5+1 > 4: skipped. 9: C computes 17..20 in its 5.
LOST = ["2: evict 2 recompute for 3+8, run 3+8", "3: run 2+16", "8: run 0+1, run 1+1", "9: run 2+4"]
# 2: 4 blocks out (2 s), so D is done at 2+1+2 = 5. C waits, idle, on the host. 8: skipped as above.
# 9: 4 blocks in (2 s), 5+1 new ones: 9+1+2 = 12.
COPIED = ["2: evict 2 swap for 3+8, run 3+8", "8: run 0+1, run 1+1", "9: load 2:4, run 2+4"]


@pytest.mark.parametrize(
    ("eviction", "host_blocks", "costs", "middle"),
    [
        ("recompute", 8, None, LOST),
        ("swap", 8, None, COPIED),
        ("swap", 3, None, LOST),  # the host has no room for 4 blocks
        ("cost_published", 8, None, LOST),  # recompute(8 of D) = 8 < 10
        ("cost_victim", 8, None, COPIED),  # recompute(16 of C) = 16 >= 10
        ("cost_published", 8, (lambda n: 5, lambda n: 5), COPIED),  # no cheaper: swap
        ("cost_victim", 8, (lambda n: 4, lambda n: 5), LOST),
    ],
)
def test_fcfs_evicts_the_newest_idle_stream_by_the_rule(play, eviction, host_blocks, costs, middle):
    more = {"costs": costs} if costs else {}
    outcome = play(
        FOUR_STREAMS, "fcfs", budget=16, blocks=12, eviction=eviction, host_blocks=host_blocks, **more
    )
    assert steps(outcome) == ["0: run 0+8, run 1+8", "1: run 2+16", *middle]
    if middle is LOST:
        assert each(outcome, "first_token_s") == [9, 9, 10, 3]
        assert each(outcome, "computed_tokens") == [9, 9, 36, 8]
        assert each(outcome, "preemptions_recompute") == [0, 0, 1, 0]
        assert each(outcome, "preemptions_swap") == [0, 0, 0, 0]
        assert (outcome.steps, outcome.busy_s) == (6, 6)
    else:
        assert each(outcome, "first_token_s") == [9, 9, 12, 5]
        assert each(outcome, "computed_tokens") == [9, 9, 20, 8]
        assert each(outcome, "preemptions_recompute") == [0, 0, 0, 0]
        assert each(outcome, "preemptions_swap") == [0, 0, 1, 0]
        assert (outcome.steps, outcome.busy_s) == (5, 1 + 1 + 3 + 1 + 3)


def test_an_update_cuts_the_copy_on_the_host(play):
    # C's last chunk keeps 6 of its 16 tokens: the host copy shrinks from 4 blocks to 2, 10 tokens are
    # invalid.
    # 9: 2 blocks in (1 s), tokens 7..20: 9+1+1 = 11.
    hand_overs = [*FOUR_STREAMS[:-1], (8, C, 20, 6, True)]
    outcome = play(hand_overs, "fcfs", budget=16, blocks=12, eviction="swap", host_blocks=8)
    assert steps(outcome)[-2:] == ["8: run 0+1, run 1+1", "9: load 2:2, run 2+14"]
    assert outcome.requests[C].invalidated_tokens == 10
    assert outcome.requests[C].first_token_s == 11


def test_an_update_that_keeps_nothing_leaves_nothing_to_load(play):
    # 8: C, at 0 of 20 tokens, has 14 of the budget left: 4+1 > 4 left of the pool: skipped. 9: C 16. 10: C 4.
    hand_overs = [*FOUR_STREAMS[:-1], (8, C, 20, 0, True)]
    outcome = play(hand_overs, "fcfs", budget=16, blocks=12, eviction="swap", host_blocks=8)
    assert steps(outcome)[-3:] == ["8: run 0+1, run 1+1", "9: run 2+16", "10: run 2+4"]
    assert outcome.requests[C].invalidated_tokens == 16
    assert outcome.requests[C].computed_tokens == 16 + 20


def test_an_update_frees_the_blocks_beyond_the_common_prefix(play):
    # 0: A takes 3+1. 2: 5 of 12 tokens stay: 2 blocks; 5 more tokens need a 3rd: takes 1+1 (A4). B needs 4+1
    #    of the pool of 9 and takes 4+1. 4: A is cut to 5 = its whole prompt: the last token is computed
    #    again.
    hand_overs = [(0, A, 12, 0, False), (2, A, 10, 5, False), closed(2, B, 16), (4, A, 5, 5, True)]
    outcome = play(hand_overs, "fcfs", budget=24, blocks=9)
    assert steps(outcome) == ["0: run 0+12", "2: run 0+5, run 1+16", "4: run 0+1"]
    assert [step.grants for step in outcome.trace] == [{A: 4}, {A: 2, B: 5}, {A: 0}]
    assert outcome.requests[A].invalidated_tokens == 7 + 5
    assert outcome.requests[A].computed_tokens == 12 + 5 + 1
    assert each(outcome, "first_token_s") == [5, 3]


def test_fcfs_victims_are_the_idle_then_the_lowest_priority_even_those_the_walk_never_reached(play):
    # 0, 1, 2: A3 B3 C3, free 0. At 4 all have 8 more tokens.
    # 4: A 8 uses up the budget. It needs 1 block; none is idle; C is last of the order: A5 B3, free 1.
    # 5: B 8 (A is idle) takes the last block: A5 B4. 6: C starts again: 2 blocks; of the idle A and B the
    #    latter was admitted later: B goes, C takes 2+1: A5 C3, free 1.
    # 7: all close with 17 tokens. A 1 (needs 5+1 of 9), B 7 (2+1 of the 3 left), budget 0: C is not reached.
    #    B grows by 2 > 1: C goes: A5 B3. 8: A is gone. B 8: 15 tokens (B5, free 4). 9: B 2; C 6 needs 2+1 of
    #    the 3 left (B5 C3). 10: C 8 (C5). 11: C 3 in the 5 blocks it has.
    hand_overs = [(0, r, 8, 0, False) for r in (A, B, C)]
    hand_overs += [(4, r, 16, 8, False) for r in (A, B, C)]
    hand_overs += [(7, r, 17, 16, True) for r in (A, B, C)]
    outcome = play(hand_overs, "fcfs", budget=8, blocks=9)
    assert steps(outcome) == [
        "0: run 0+8",
        "1: run 1+8",
        "2: run 2+8",
        "4: evict 2 recompute for 0+8, run 0+8",
        "5: run 1+8",
        "6: evict 1 recompute for 2+8, run 2+8",
        "7: evict 2 recompute for 1+7, run 0+1, run 1+7",
        "8: run 1+8",
        "9: run 1+2, run 2+6",
        "10: run 2+8",
        "11: run 2+3",
    ]
    assert each(outcome, "first_token_s") == [8, 10, 12]
    assert each(outcome, "preemptions_recompute") == [0, 1, 2]
    assert each(outcome, "computed_tokens") == [17, 16 + 17, 8 + 8 + 17]


def test_an_idle_stream_keeps_its_slot(play):
    # 1: B is closed and first, but the one slot is A's. 2..5: A is idle and keeps it. 5: A closes; opened at
    #    0, it is before B. 6: B at last.
    hand_overs = [(0, A, 8, 0, False), (1, A, 16, 8, False), closed(1, B, 4), (5, A, 17, 16, True)]
    outcome = play(hand_overs, "fcfs", budget=16, blocks=100, slots=1)
    assert steps(outcome) == ["0: run 0+8", "1: run 0+8", "5: run 0+1", "6: run 1+4"]
    assert each(outcome, "first_token_s") == [6, 7]


@pytest.mark.parametrize("policy", ["default_vllm", "fcfs", "lcas", "mcps"])
def test_every_sampled_token_but_the_last_is_computed(play, policy):
    # A: 4 tokens, then 2 sampled ones; B: 4 tokens with 1 output, all within the budget of 5: 4+1, then 1+3
    # ...
    outcome = play([closed(0, A, 4), closed(0, B, 4)], policy, budget=5, blocks=100, outputs=(3, 1))
    assert steps(outcome) == ["0: run 0+4, run 1+1", "1: run 0+1, run 1+3", "2: run 0+1"]
    assert each(outcome, "first_token_s") == [1, 2]
    assert each(outcome, "finished_s") == [3, 2]
    assert each(outcome, "computed_tokens") == [6, 4]


@pytest.mark.parametrize("policy", ["default_vllm", "fcfs", "lcas", "mcps"])
def test_a_prompt_larger_than_the_pool_is_refused_and_the_rest_goes_on(play, policy):
    # Blocks of 16, 4 ahead, a pool of 6: 32 tokens fit (2+4), 33 do not. B's second output token would be its
    # 33rd; C grows too large at 1, when it holds blocks, and its last chunk, at 2, is not heard any more.
    hand_overs = [closed(0, A, 32), closed(0, B, 32), (0, C, 16, 0, False), closed(1, D, 32)]
    hand_overs += [(1, C, 33, 16, False), (2, C, 16, 16, True)]
    outcome = play(
        hand_overs, policy, budget=64, blocks=6, outputs=(1, 2, 1, 1), block_size=16, blocks_ahead=4
    )
    assert outcome.refused == [B, C]
    assert each(outcome, "finished_s")[A] == 1
    assert each(outcome, "finished_s")[D] == 2
    assert each(outcome, "finished_s")[B] is None
    assert each(outcome, "finished_s")[C] is None


@pytest.mark.parametrize(("held_tokens", "computed"), [(0, 6), (1, 5)])
def test_a_held_token_is_computed_when_the_stream_closes_and_no_token_twice(play, held_tokens, computed):
    # 0: A's 5 tokens, or 4 of them. 2: it closes without more: the last one is computed, again or at last.
    hand_overs = [(0, A, 5, 0, False), (2, A, 5, 5, True)]
    outcome = play(hand_overs, "fcfs", budget=9, blocks=9, held_tokens=held_tokens)
    assert steps(outcome) == [f"0: run 0+{5 - held_tokens}", "2: run 0+1"]
    assert each(outcome, "computed_tokens") == [computed]
    assert each(outcome, "invalidated_tokens") == [0]


@pytest.mark.parametrize("policy", ["fcfs", "default_vllm"])
def test_a_stream_whose_only_token_is_held_back_waits_and_stops_nobody(play, policy):
    # 0: A has a token and may compute none. B behind it runs. 3: A closes.
    hand_overs = [(0, A, 1, 0, False), closed(0, B, 4), (3, A, 1, 1, True)]
    outcome = play(hand_overs, policy, budget=9, blocks=9, slots=1, held_tokens=1)
    assert steps(outcome) == ["0: run 1+4", "3: run 0+1"]


@pytest.mark.parametrize(("whole_blocks", "again"), [(False, 5), (True, 8)])
def test_what_an_update_leaves_is_cut_to_whole_blocks(play, whole_blocks, again):
    # 0: A's 10 tokens, 3 blocks. 2: 7 of them stay; of whole blocks 4, in 1 block. Invalid are 3 either way.
    hand_overs = [(0, A, 10, 0, False), (2, A, 12, 7, True)]
    outcome = play(hand_overs, "fcfs", budget=99, blocks=3, blocks_ahead=0, whole_blocks=whole_blocks)
    assert steps(outcome) == ["0: run 0+10", f"2: run 0+{again}"]
    assert outcome.trace[1].grants == {A: 3 - (1 if whole_blocks else 2)}
    assert each(outcome, "invalidated_tokens") == [3]


@pytest.mark.parametrize("whole_blocks", [False, True])
def test_an_append_leaves_what_is_computed_as_it_is(play, whole_blocks):
    hand_overs = [(0, A, 10, 0, False), (2, A, 12, 10, True)]
    outcome = play(hand_overs, "fcfs", budget=99, blocks=9, whole_blocks=whole_blocks)
    assert steps(outcome) == ["0: run 0+10", "2: run 0+2"]


def test_an_idle_stream_keeps_its_slot_or_is_evicted_for_it(play):
    # A is idle from 1 on and has the only slot; blocks are plenty. B comes at 2, A's last chunk at 5.
    hand_overs = [(0, A, 4, 0, False), closed(2, B, 4), (5, A, 8, 4, True)]
    outcome = play(hand_overs, "fcfs", budget=99, blocks=99, slots=1)
    assert steps(outcome) == ["0: run 0+4", "5: run 0+4", "6: run 1+4"]
    outcome = play(hand_overs, "fcfs", budget=99, blocks=99, slots=1, evict_for_slots=True)
    # 3: A has 4 tokens to compute again, and the slot is free.
    assert steps(outcome) == [
        "0: run 0+4",
        "2: evict 0 recompute for 1+4, run 1+4",
        "3: run 0+4",
        "5: run 0+4",
    ]


def test_where_slots_are_evicted_for_the_best_have_them(play):
    # 0: all 6 tokens of A, 2 of B. 1: C, closed, comes first, B has 4 tokens left: A, idle, goes.
    # 2: C is done, A is computed again.
    hand_overs = [(0, A, 6, 0, False), (0, B, 6, 0, False), closed(0.5, C, 2)]
    hand_overs += [(9, A, 7, 6, True), (9, B, 7, 6, True)]
    outcome = play(hand_overs, "fcfs", budget=8, blocks=99, slots=2, evict_for_slots=True)
    assert steps(outcome) == [
        "0: run 0+6, run 1+2",
        "1: evict 0 recompute for 2+2, run 1+4, run 2+2",
        "2: run 0+6",
        "9: run 0+1, run 1+1",
    ]
