"""Simulator and vLLM decide alike: random tight cells, every policy, every eviction, every operation."""

import random

import checks
import decisions
import pytest
from decisions import random_cell
from steps import EVICTIONS, POLICIES

CELLS = 160  # per policy, eviction rule, streamed or not: 5,120 in all


@pytest.mark.parametrize("eviction", EVICTIONS)
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
def test_random_cells(policy, eviction, stream):
    differences, compared = [], 0
    for seed in range(CELLS):
        cell = random_cell(random.Random(f"{policy} {eviction} {stream} {seed}"), policy, eviction, stream)
        simulated, real = decisions.of_cell(cell)
        compared += simulated.operations
        if difference := simulated.first_difference(real):
            differences.append((difference, cell))
    checks.record(decisions_compared=compared, decisions_different=len(differences))
    assert not differences, f"{len(differences)} of {CELLS} cells differ; {differences[0]}"
    assert compared > 3 * CELLS
