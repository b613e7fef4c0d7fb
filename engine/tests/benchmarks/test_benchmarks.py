"""The benchmarks measure what they say, on sizes that take no time."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import simulation

from headrace.scheduling import POLICIES


@pytest.mark.parametrize("policy", POLICIES)
def test_the_peers_workload_is_served_whole(policy):
    """12 steps of at most 512 tokens for 5,700; two requests in one step save some."""
    result = simulation.prepare_peers(simulation.Peers(requests=20), policy)()
    assert 20 * 5700 / 512 <= result.steps <= 20 * 12
    assert not result.refused
