"""The two simulations that are timed: the peers' workload and the study's heaviest cell."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from headrace.perf import Overheads, PerfModel
from headrace.request import Request
from headrace.scheduling import Limits, scheduler
from headrace.sim import HandOver, Result, Simulator

ROOT = Path(__file__).parents[2]
PERF_MODEL = ROOT / "data/perf_models/h200-tp2.llama-3.1-8b.silicon.json"
NO_OVERHEADS = dict.fromkeys(
    ("step_s", "request_s", "handover_s", "handover_token_s", "tokenise_token_s", "swap_block_s"), 0.0
)


class Peers(NamedTuple):
    """A workload that other simulators publish their speed on: plain prompts, one output token."""

    requests: int = 20_000
    prompt_tokens: int = 5_700
    qps: float = 2.0
    token_budget: int = 512
    slots: int = 128


def prepare_peers(workload: Peers, policy: str) -> Callable[[], Result]:
    """The simulation, ready to run: requests and hand-overs are built.

    30 ms of software per step bring an H200 pair to the load that the peers' hardware has (about 0.9).
    """
    gaps = np.random.default_rng(42).exponential(1 / workload.qps, workload.requests)
    times = np.cumsum(gaps).tolist()
    hand_overs = [HandOver(time_s, i, workload.prompt_tokens, 0, True) for i, time_s in enumerate(times)]
    limits = Limits(workload.token_budget, workload.slots, blocks=28_000, host_blocks=56_000)
    return _prepared(hand_overs, workload.requests, policy, limits, {**NO_OVERHEADS, "step_s": 0.03})


def prepare_cell(spec: dict, chunks: Path, arrivals: Path) -> Callable[[], Result]:
    """World 0 of a study's cell, ready to run."""
    from headrace.cell import Queries, worlds_of
    from headrace.workload import read_arrivals, read_table

    overheads = Overheads.from_dict(spec["overheads"])
    table, starts = worlds_of(read_table(chunks), chunks, 1), worlds_of(read_arrivals(arrivals), arrivals, 1)
    queries = Queries(table, starts, spec)
    engine = dict(spec["engine"])
    limits = Limits(blocks=engine.pop("kv_blocks"), **engine)
    hand_overs = queries.hand_overs(overheads)
    return _prepared(
        hand_overs, len(queries.ids), spec["policy"], limits, spec["overheads"], spec["eviction"]
    )


def _prepared(hand_overs, count, policy, limits, overheads, eviction="cost_published"):
    perf, overheads = PerfModel.load(PERF_MODEL), Overheads.from_dict(overheads)
    costs = perf.costs(overheads, limits.token_budget, limits.block_size)
    simulator = Simulator(
        scheduler(policy, eviction, costs, limits),
        perf.step_time(overheads, limits.token_budget),
        perf.swap_time(overheads, limits.block_size),
        limits,
    )
    requests = [Request(i) for i in range(count)]
    return lambda: simulator.run(hand_overs, requests)
