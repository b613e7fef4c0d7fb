"""Simulator and vLLM decide alike: random tight cells, every policy, every eviction, every operation."""

import random
from collections import Counter

import checks
import decisions
import pytest
from decisions import random_cell
from steps import EVICTIONS, POLICIES

from headrace.perf.costs import Costs
from headrace.request import Request
from headrace.scheduling import Limits
from headrace.sim import HandOver
from headrace.vllm.virtual import plugin

KINDS = {
    "cost_published": ("recompute", "swap", "loads"),
    "cost_victim": ("recompute", "swap", "loads"),
    "recompute": ("recompute",),
    "swap": ("recompute", "swap", "loads"),  # by recompute where the host pool is full
}
CELLS = 160  # per policy, eviction rule, streamed or not: 5,120 in all


@pytest.mark.parametrize("eviction", EVICTIONS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_random_cells(policy, eviction, stream):
    differences, compared, kinds = [], 0, Counter()
    for seed in range(CELLS):
        cell = random_cell(random.Random(f"{policy} {eviction} {stream} {seed}"), policy, eviction, stream)
        simulated, real = decisions.of_cell(cell)
        compared += simulated.operations
        kinds += real.kinds
        if difference := simulated.first_difference(real):
            differences.append((difference, cell))
    checks.record(decisions_compared=compared, decisions_different=len(differences))
    assert not differences, f"{len(differences)} of {CELLS} cells differ; {differences[0]}"
    assert compared > 3 * CELLS
    for what in KINDS[eviction] if stream else ():
        assert kinds[what] > 10, f"too few to prove anything: {what} of {kinds}"


@pytest.mark.parametrize("eviction", ["recompute", "swap"])
def test_a_resident_without_blocks_is_evicted_for_its_slot(eviction):
    """An update left it nothing; a request of higher priority takes the only slot."""
    limits = decisions.as_plugin(Limits(64, slots=1, blocks=40, host_blocks=40, block_size=16))
    hand_overs = [
        HandOver(0.0, 0, 60, 0, False),
        HandOver(1.5, 0, 50, 0, False),
        HandOver(1.5, 1, 40, 0, True),
        HandOver(9.0, 0, 60, 50, True),
    ]
    costs = Costs(decisions.linear((0, 1)), decisions.linear((0, 1)))
    simulated, real = decisions.both(
        "fcfs", eviction, costs, limits, lambda runs: 1.0, lambda blocks: 0.0, 0.0, hand_overs,
        lambda: [Request(0, 1), Request(1, 2)],
    )  # fmt: skip
    assert simulated.first_difference(real) is None
    assert real.kinds["recompute"] == 1  # there is nothing to swap


def test_a_difference_shows(monkeypatch):
    """Under another policy on one side, most cells differ."""
    monkeypatch.setattr(decisions, "plugin", lambda policy, *rest: plugin("mcps", *rest))
    different = 0
    for seed in range(40):
        simulated, real = decisions.of_cell(random_cell(random.Random(seed), "fcfs", "recompute", True))
        different += simulated.first_difference(real) is not None
    assert different > 10
