"""A step in flight while the next is scheduled, and one at a time: memory and tokens are right."""

import random
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steps import EVICTIONS, POLICIES, Steps, random_case
from vllm.v1.request import RequestStatus

from headrace.vllm.host_pool import HostPool
from headrace.vllm.private import AheadHooks, Hooks
from headrace.vllm.workerless import workerless

CASES = 40  # per combination: 2,560 in all
AHEAD = pytest.mark.parametrize("ahead", [False, True], ids=["sync", "async"])


@AHEAD
@pytest.mark.parametrize("limit", ["watermark", "max_num_active_seqs"])
def test_random_cases_with_less_than_there_is(limit, ahead, monkeypatch):
    """Blocks that vLLM keeps back, and fewer slots than a worker has rows."""
    for number in range(CASES):
        drawn = random.Random(f"{limit} {number}")
        case = random_case(drawn, drawn.choice(POLICIES), drawn.choice(EVICTIONS), drawn.random() < 0.5)
        if limit == "watermark":
            case.limits = replace(case.limits, blocks=2 * case.limits.blocks)
            monkeypatch.setattr("steps.workerless", partial(workerless, watermark=0.4))
        run = Steps(case, ahead)
        scheduler = run.scheduler
        if limit != "watermark":
            scheduler.max_num_active_reqs = 1
            scheduler.use(scheduler.options)
        run.run(drawn)
        assert scheduler.limits.slots == (case.limits.slots if limit == "watermark" else 1)
        assert (scheduler.limits.blocks < case.limits.blocks) == (limit == "watermark")


def serve(seed, policy, eviction, caching, ahead):
    """One random case; returns its engine core."""
    drawn = random.Random(seed)
    steps = Steps(random_case(drawn, policy, eviction, caching), ahead)
    steps.run(drawn)
    return steps


@AHEAD
@pytest.mark.parametrize("caching", [False, True], ids=["", "prefixes"])
@pytest.mark.parametrize("policy", POLICIES)
def test_random_cases(policy, caching, ahead):
    seen = Counter()
    for eviction in EVICTIONS:
        for number in range(CASES):
            steps = serve(f"{policy} {eviction} {number}", policy, eviction, caching, ahead)
            counts, requests = steps.scheduler.counts, steps.case.requests
            seen["by recompute"] += counts.preemptions_recompute
            seen["by swap"] += counts.preemptions_swap
            seen["resets"] += steps.resets
            seen["invalidated"] += counts.invalidated_tokens
            seen["aborted"] += sum(sent.aborted for sent in requests)
            seen["ended early"] += sum(0 < len(sent.tokens) < sent.output_tokens for sent in requests)
    for what in ("by recompute", "by swap", "invalidated", "aborted", "ended early", "resets"):
        assert seen[what] > CASES / 4, f"too few to prove anything: {what}, {seen}"


@AHEAD
@settings(max_examples=100, deadline=None)
@given(
    drawn=st.randoms(use_true_random=False),
    policy=st.sampled_from(POLICIES),
    eviction=st.sampled_from(EVICTIONS),
    caching=st.booleans(),
)
def test_any_case(drawn, policy, eviction, caching, ahead):
    Steps(random_case(drawn, policy, eviction, caching), ahead).run(drawn)


def not_pinned(monkeypatch):
    monkeypatch.setattr(Hooks, "pinned", lambda self, prefixes: nullcontext())


def part_of_a_block_kept(monkeypatch):
    truncate = Hooks.truncate

    def keep_more(self, request, tokens):
        held = len(self.block_ids(request))
        if held > tokens // self.block_size:
            # The block in which old and new prompt part stays, as if the old tokens were right.
            tokens += self.block_size
        truncate(self, request, tokens)

    monkeypatch.setattr(Hooks, "truncate", keep_more)


def copies_in_the_wrong_order(monkeypatch):
    take = HostPool.take_copies
    monkeypatch.setattr(HostPool, "take_copies", lambda self: take(self)[::-1])


def first_token_in_flight_forgotten(monkeypatch):
    update = AheadHooks._update_request_with_output

    def forget(self, request, *args, **kwargs):
        waits = request.status == RequestStatus.WAITING
        found = update(self, request, *args, **kwargs)
        if waits and request.status == RequestStatus.PREEMPTED:
            request.status = RequestStatus.WAITING
        return found

    monkeypatch.setattr(AheadHooks, "_update_request_with_output", forget)


def rows_of_the_finished_forgotten(monkeypatch):
    monkeypatch.setattr(Hooks, "rows", 10**6)


@pytest.mark.parametrize(
    ("fault", "eviction", "ahead"),
    [
        (not_pinned, "swap", False),
        (part_of_a_block_kept, "recompute", False),
        (copies_in_the_wrong_order, "swap", False),
        (first_token_in_flight_forgotten, "recompute", True),
        (rows_of_the_finished_forgotten, "recompute", True),
    ],
)
def test_a_fault_shows(fault, eviction, ahead, monkeypatch):
    fault(monkeypatch)
    failed = 0
    for number in range(CASES):
        for policy in POLICIES:
            try:
                serve(f"{policy} {eviction} {number}", policy, eviction, True, ahead)
            except (AssertionError, RuntimeError):
                failed += 1
    assert failed
