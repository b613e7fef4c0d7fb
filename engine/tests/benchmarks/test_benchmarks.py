"""The benchmarks measure what they say, on sizes that take no time."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import scheduling_pass
import simulation

from headrace.scheduling import POLICIES


@pytest.mark.parametrize("policy", POLICIES)
def test_the_peers_workload_is_served_whole(policy):
    """12 steps of at most 512 tokens for 5,700; two requests in one step save some."""
    result = simulation.prepare_peers(simulation.Peers(requests=20), policy)()
    assert 20 * 5700 / 512 <= result.steps <= 20 * 12
    assert not result.refused


@pytest.mark.parametrize("policy", POLICIES)
def test_a_pass_is_timed_in_every_form_the_policy_has(policy):
    times = scheduling_pass.medians(policy, queued=30, passes=20)
    forms = {"amortised"} if policy == "default_vllm" else {"amortised", "from_scratch", "published_shape"}
    assert set(times) == forms and all(microseconds > 0 for microseconds in times.values())


@pytest.mark.parametrize("policy", ["fcfs", "lcas", "mcps"])
def test_the_published_shape_selects_what_the_product_selects(policy):
    for queue, key in scheduling_pass._states(policy, 40, 10, seed=1):
        running = list(queue.scheduler.resident)
        waiting = [request for request in queue.live if request not in queue.scheduler.resident]
        by_id = {request.id: request for request in queue.live}
        kept, others = scheduling_pass._published_pass(by_id, waiting, running, key, policy != "mcps")
        plan = queue.scheduler.plan(queue.now_s, queue.ledger)
        planned = [request for request, *_ in plan.runs]
        assert set(planned) == {*kept, *others[: len(planned) - len(kept)]}
