"""Simulator and vLLM decide alike on the study's workloads, under more pressure than the study's."""

from collections import Counter
from functools import cache

import checks
import decisions
import numpy as np
import polars as pl
import pytest
from steps import EVICTIONS, POLICIES

from headrace.cell import limits_of
from headrace.cli.configuration import ROOT, read_configuration
from headrace.perf import Overheads, PerfModel
from headrace.replay import Replay
from headrace.study import cell_spec
from headrace.workload.arrivals import arrival_times
from headrace.workload.generate import draw

HARDWARE = "h200-tp2"
REDUCED = 120  # queries of a reduced world, less the longest fifth
WORKLOADS = "crawler", "anns"
EITHER = pytest.mark.parametrize("workload", WORKLOADS)


@cache
def world(workload, reduced):
    """Chunks and arrivals of world 0; a reduced one is short, and without its longest prompts."""
    config = read_configuration()
    queries = REDUCED if reduced else config["workloads"][workload]["queries"]
    chunks = draw(workload, config["generators"][workload], 0, config["seed"], queries, 1)
    starts = arrival_times(queries, 0, config["seed"])
    if reduced:
        whole = pl.col("prompt_tokens").max().over("query_id")
        chunks = chunks.filter(whole <= chunks.select(whole.quantile(0.8)).item())
    return chunks, pl.DataFrame({"query_id": np.arange(queries), "arrival_s": starts})


def compare(workload, policy, eviction, stream, reduced=True, delay=10):
    """vLLM's decisions on a cell of the study, and that they are the simulator's.

    The pool holds little more than the longest prompt, and waits for chunks are long: many idle streams.
    """
    config = read_configuration()
    axes = {"backend": "vllm-scheduler", "hardware": HARDWARE, "workload": workload, "delay": delay}
    axes |= {"eviction": eviction, "policy": policy, "stream": stream, "qps": 8.0}
    spec = cell_spec(config, "stream2llm", axes)
    chunks, starts = world(workload, reduced)
    longest = int((chunks["prompt_tokens"] + chunks["output_tokens"]).max())
    blocks = int(1.1 * longest) // spec["engine"]["block_size"] + 2
    spec["engine"] |= {"kv_blocks": blocks, "host_blocks": blocks}
    overheads, limits = Overheads(**spec["overheads"]), limits_of(spec["engine"])
    perf = PerfModel.load(ROOT / config["hardware"][HARDWARE]["perf_model"]["file"])
    replay = Replay(chunks, starts, spec)
    found = decisions.both(
        policy,
        eviction,
        perf.costs(overheads, limits.token_budget, limits.block_size),
        limits,
        perf.step_time(overheads, limits.token_budget),
        perf.swap_time(overheads, limits.block_size),
        overheads.live_s,
        replay.hand_overs(replay.client(overheads)),
        replay.requests,
    )
    different = found[0].first_difference(found[1])
    checks.record(decisions_compared=found[0].operations, decisions_different=int(different is not None))
    assert different is None
    return found[1]


@EITHER
@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("policy", POLICIES)
def test_reduced_worlds(workload, policy, stream):
    hows = Counter()
    for eviction in EVICTIONS:
        real = compare(workload, policy, eviction, stream)
        hows += Counter(how for _, _, evictions, _, _ in real.steps for _, how in evictions)
    if stream:
        assert hows["recompute"] > 100, f"not enough pressure: {hows}"
        assert hows["swap"] > 10, f"not enough pressure: {hows}"


@EITHER
def test_a_whole_world_under_pressure(workload):
    real = compare(workload, "lcas", "cost_victim", True, reduced=False)
    evicted = sum(len(evictions) for _, _, evictions, _, _ in real.steps)
    assert evicted > 100
