"""The two simulations that are timed: the peers' workload and the study's heaviest cell."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from headrace.cell import engines
from headrace.perf import Overheads, PerfModel
from headrace.replay import Replay, first_worlds
from headrace.request import Request
from headrace.sim import HandOver, Result
from headrace.workload import read_arrivals, read_table

ROOT = Path(__file__).parents[2]
PERF_MODEL = ROOT / "data/perf_models/h200-tp2.llama-3.1-8b.silicon.json"


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
    engine = {
        "token_budget": workload.token_budget,
        "slots": workload.slots,
        "kv_blocks": 28_000,
        "host_blocks": 56_000,
    }
    spec = {"backend": "sim", "policy": policy, "eviction": "cost_published", "engine": engine}
    overheads = Overheads.none(step_s=0.03)
    requests = [Request(i) for i in range(workload.requests)]
    simulator = engines(spec, PerfModel.load(PERF_MODEL), overheads)()
    return lambda: simulator.run(hand_overs, requests)


def prepare_cell(spec: dict, chunks: Path, arrivals: Path) -> Callable[[], Result]:
    """World 0 of a study's cell, ready to run."""
    overheads = Overheads.from_dict(spec["overheads"])
    table, starts = (
        first_worlds(read_table(chunks), chunks, 1),
        first_worlds(read_arrivals(arrivals), arrivals, 1),
    )
    replay = Replay(table, starts, spec)
    hand_overs, requests = replay.hand_overs(replay.client(overheads)), replay.requests()
    engine = engines(spec, PerfModel.load(PERF_MODEL), overheads)()
    return lambda: engine.run(hand_overs, requests)
