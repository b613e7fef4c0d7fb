"""The policy vllm_032 in the simulator against stock vLLM's own scheduler: every decision is the same."""

import os
import random
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import stock
from checks import record

from headrace.cell import limits_of
from headrace.config import read_all
from headrace.perf import Overheads, PerfModel
from headrace.replay import Replay
from headrace.request import Request
from headrace.scheduling import Limits
from headrace.scheduling.policies.vllm_032 import Vllm032
from headrace.sim import HandOver, LivelockError, Simulator
from headrace.study import cell_spec
from headrace.workload.arrivals import arrival_times
from headrace.workload.generate import draw


def twin(hand_overs, output_tokens, limits, step_time, live_s=0.0, watermark=0.0, cls=Vllm032):
    """As `stock.serve`, by the simulator under policy `cls`."""
    planner = cls(None, limits)
    planner.watermark_blocks = int(watermark * (limits.blocks + 1))
    requests = [Request(id, wanted) for id, wanted in enumerate(output_tokens)]
    outcome = stock.Outcome()

    def observe(now_s, seconds, plan):
        evicted = tuple(victim.id for victim, *_ in plan.evictions)
        runs = tuple((request.id, tokens) for request, tokens, _ in plan.runs)
        outcome.steps.append(stock.Step(now_s, evicted, runs, simulator.ledger.free))

    simulator = Simulator(planner, step_time, None, limits, observe, live_s)
    try:
        result = simulator.run([HandOver(*hand_over) for hand_over in hand_overs], requests)
        assert not result.refused
    except LivelockError:
        outcome.stuck = True
    for request in requests:
        if request.first_token_s is not None:
            outcome.first_token_s[request.id] = request.first_token_s
        if request.finished_s is not None:
            outcome.finished_s[request.id] = request.finished_s
    return outcome


def compared(*workload, of_stock=None, **more):
    """What stock vLLM does with a workload, every decision counted; the twin does the same, step by step."""
    ours, theirs = twin(*workload, **more), stock.serve(*workload, **more, **(of_stock or {}))
    different = [pair for pair in zip(ours.steps, theirs.steps, strict=False) if pair[0] != pair[1]]
    different += [("steps", len(ours.steps), len(theirs.steps))] * (len(ours.steps) != len(theirs.steps))
    record(decisions_compared=theirs.decisions, decisions_different=len(different))
    assert not different, different[0]
    assert ours == theirs
    return theirs


def random_workload(dice, sessions):
    """Few requests that fight for few tokens, slots and blocks; times are multiples of 1/64 s."""
    size = dice.choice((1, 2, 4, 16))
    longest = dice.randint(1, 8) * size + dice.randint(0, size)
    most = dice.choice((1, 1, 3, 12))
    count = dice.randint(2, 12)
    outputs = [dice.randint(1, most) for _ in range(count)]
    pace = dice.choice((0, 8, 64, 256))
    hand_overs = []
    for request in range(count):
        time, prompt = dice.randint(0, dice.choice((0, 64, 512))), 0
        chunks = dice.randint(1, 6) if sessions and dice.random() < 0.8 else 1
        chunks = min(chunks, longest)
        ends = sorted(dice.sample(range(1, longest + 1), chunks))
        for place, end in enumerate(ends):
            hand_overs.append((time / 64, request, end, prompt, place == chunks - 1))
            time, prompt = time + dice.randint(0, pace), end
    hand_overs.sort(key=lambda each: each[:2])
    enough = -(-(longest + most - 1) // size)
    limits = Limits(
        token_budget=dice.choice((dice.randint(1, longest), longest, 3 * longest)),
        slots=dice.choice((dice.randint(1, count), count)),
        blocks=enough + dice.choice((0, 0, 1, 2, enough // 2, enough, 3 * enough)),
        host_blocks=0,
        block_size=size,
        blocks_ahead=0,
    )
    step, token, context = dice.randint(1, 32), dice.randint(0, 3), dice.choice((0, 0, 1))

    def step_time(runs):
        return sum((token * n + context * request.computed) for request, n, _ in runs) / 64 + step / 64

    return hand_overs, outputs, limits, step_time


def random_run(seed, sessions):
    """A workload, and what both engines are told besides."""
    dice = random.Random(seed)
    workload = random_workload(dice, sessions)
    return workload, {"live_s": dice.choice((0.0, 1 / 64)), "watermark": dice.choice((0.0, 0.0, 0.1))}


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("sessions", [False, True], ids=["plain", "sessions"])
def test_random_workloads_are_served_alike_in_every_step(sessions, part):
    evicted = stuck = only_evicted = 0
    for seed in range(part, 4000, 4):
        workload, more = random_run(seed, sessions)
        outcome = compared(*workload, **more, of_stock={"sessions_of_one": seed % 8 < 4})
        stuck += outcome.stuck
        evicted += sum(len(step.evicted) for step in outcome.steps)
        only_evicted += sum(not step.runs for step in outcome.steps)
    assert evicted > 200
    assert (stuck > 20, only_evicted > 5) == (sessions, sessions), (stuck, only_evicted)


class Coalesces(Vllm032):
    """Queued chunks are computed together."""

    def goal(self, request):
        return request.prompt


class ResumesTheLastFirst(Vllm032):
    """Sessions are resumed in the wrong order."""

    def resume(self, request):
        self.away[request] *= -1
        super().resume(request)


class ForgetsTheParked(Vllm032):
    """Parked sessions keep no slot."""

    def admit(self, runs, budget, free):
        away, self.away = self.away, dict.fromkeys(self.resumed.requests)
        super().admit(runs, budget, free)
        self.away = away


class LeavesABlock(Vllm032):
    """Admissions leave a block too many."""

    def admit(self, runs, budget, free):
        super().admit(runs, budget, free - 1)


class ChecksTheStepOnly(Vllm032):
    """A prompt gets in when its first step does."""

    def admit(self, runs, budget, free):
        prompt_of, self.goal = self.goal, lambda request: min(prompt_of(request), request.computed + budget)
        super().admit(runs, budget, free)
        del self.goal


@pytest.mark.parametrize(
    "cls", [Coalesces, ResumesTheLastFirst, ForgetsTheParked, LeavesABlock, ChecksTheStepOnly]
)
def test_a_twin_that_is_wrong_in_one_thing_is_found_out(cls):
    found = 0
    for seed in range(300):
        workload, more = random_run(seed, True)
        found += twin(*workload, **more, cls=cls) != stock.serve(*workload, **more)
    assert found > 3


@pytest.fixture(scope="module")
def config():
    home = Path.cwd()
    os.chdir(Path(__file__).parents[2])
    yield read_all(["config/config.yaml"])
    os.chdir(home)


@dataclass(frozen=True)
class World:
    """World 0 of a study's workload, on the pool of the H200 pair or a smaller one."""

    workload: str
    stream: bool
    delay: int = 1
    kv_blocks: int | None = None
    most_outputs: int = 1


def of_the_study(config, world):
    """Arguments of `compared`, as a cell of the study has them."""
    axes = {"backend": "sim", "hardware": "h200-tp2", "workload": world.workload, "delay": world.delay}
    qps = 4.0 if world.workload == "crawler" else 2.0
    served = {"eviction": "recompute", "policy": "vllm_032", "stream": world.stream, "qps": qps}
    spec = cell_spec(config, "stream2llm", axes | served)
    blocks = {"kv_blocks": world.kv_blocks} if world.kv_blocks else {}
    limits = replace(limits_of(spec["engine"] | blocks), host_blocks=0)
    workload = config["workloads"][world.workload]
    queries, parameters = workload["queries"], config["generators"][world.workload]
    chunks = draw(world.workload, parameters, 0, config["seed"], queries, 1)
    arrival_s = arrival_times(queries, 0, config["seed"])
    arrivals = pl.DataFrame({"query_id": np.arange(queries), "arrival_s": arrival_s})
    replay, overheads = Replay(chunks, arrivals, spec), Overheads(**spec["overheads"])
    perf = PerfModel.load(Path(config["hardware"]["h200-tp2"]["perf_model"]["file"]))
    step_time = perf.step_time(overheads, limits.token_budget)
    dice = random.Random(1)
    outputs = [dice.randint(1, world.most_outputs) for _ in range(queries)]
    return replay.hand_overs(replay.client(overheads)), outputs, limits, step_time, overheads.live_s


@pytest.mark.parametrize(
    "world",
    [
        World("crawler", stream=True),
        World("crawler", stream=False, kv_blocks=8_000),
        World("anns", stream=False, kv_blocks=12_000, most_outputs=400),
    ],
    ids=str,
)
def test_a_world_of_the_study_is_served_alike(config, world):
    arguments = of_the_study(config, world)
    outcome = compared(*arguments)
    evicted = sum(len(step.evicted) for step in outcome.steps)
    assert not outcome.stuck
    assert len(outcome.finished_s) == len(arguments[1])
    assert (evicted > 0) == (world.most_outputs > 1)


def test_stretched_waits_of_the_study_bring_stock_vllm_to_a_halt(config):
    """Hundreds of sessions are open at a time; parked ones fill the pool and nobody can take it back."""
    outcome = compared(*of_the_study(config, World("crawler", stream=True, delay=10)))
    assert outcome.stuck
    assert 0 < len(outcome.finished_s) < 4322
