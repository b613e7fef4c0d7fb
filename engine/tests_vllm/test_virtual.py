"""Backend vllm-scheduler: cells and the command line with vLLM's scheduler on the virtual clock."""

import json
from dataclasses import replace

import polars as pl
import pytest
from click.testing import CliRunner
from vllm.v1.core.sched.scheduler import Scheduler

from headrace.cli import main
from headrace.errors import HeadraceError
from headrace.request import Request
from headrace.scheduling import Limits
from headrace.sim import HandOver, LivelockError
from headrace.spec import PLUGIN
from headrace.vllm.prompt_ids import PromptIds
from headrace.vllm.virtual import VirtualEngine, plugin
from headrace.vllm.workerless import workerless

LIMITS = Limits(
    8, 4, 6, 0, 2, 0, held_tokens=1, whole_blocks=True, evict_for_slots=True
)  # budget, slots, blocks, host blocks, block size, ahead


class Free:
    """Costs that nobody asks for."""

    class recompute:
        coefficients = (0.0, 0.0, 0.0)

    swap = recompute


def engine(limits=LIMITS, vllm=None):
    vllm = vllm or plugin("fcfs", "recompute", Free, limits)
    return VirtualEngine(vllm, lambda runs: 1.0, lambda blocks: 0.0, limits)


def simulate(*arguments):
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


SMALL = ("--queries", 12, "--kv-blocks", 6000, "--eviction", "cost_victim", "--delay", 3)


def test_a_schedule_by_hand():
    """3 of 4 tokens at 0, the held one and 2 more at 1 (closed then), the second token's step at 2."""
    request = Request(7, output_tokens=2)
    result = engine().run([HandOver(0.0, 0, 4, 0, False), HandOver(0.5, 0, 6, 4, True)], [request])
    assert (result.steps, result.busy_s, result.end_s) == (3, 3.0, 3.0)
    assert (request.last_chunk_s, request.first_token_s, request.finished_s) == (1.0, 2.0, 3.0)
    assert (request.computed_tokens, request.output) == (7, 2)


def test_an_update_invalidates():
    request = Request(0)
    engine().run([HandOver(0.0, 0, 6, 0, False), HandOver(2.0, 0, 5, 3, True)], [request])
    assert request.invalidated_tokens == 2  # 5 were computed, 3 are kept
    assert request.computed_tokens == 5 + 3  # the block in which they part is computed again


def test_a_prompt_beyond_the_pool_is_refused():
    requests = [Request(0), Request(1)]
    hand_overs = [HandOver(0.0, 0, 13, 0, True), HandOver(0.0, 1, 12, 0, True)]
    assert engine().run(hand_overs, requests).refused == [requests[0]]
    assert requests[1].output == 1


def test_a_stream_that_is_never_closed():
    with pytest.raises(LivelockError, match="never closed"):
        engine().run([HandOver(0.0, 0, 4, 0, False)], [Request(0)])


def test_stock_vllm_serves_whole_prompts():
    requests = [Request(0, 3), Request(1, 3)]
    hand_overs = [HandOver(0.0, number, 5, 0, True) for number in range(2)]
    result = engine(vllm=workerless(Scheduler, replace(LIMITS, blocks=12))).run(hand_overs, requests)
    assert [request.output for request in requests] == [3, 3]
    assert result.steps == 4  # 8 of the 10 prompt tokens fit the first


def test_limits_that_are_not_the_plugins():
    with pytest.raises(ValueError, match="held_tokens=0"):
        plugin("fcfs", "recompute", Free, Limits(8, 4, 6, 0, 2, 0))


def test_prompts_keep_exactly_their_prefix():
    prompt, before = PromptIds(), []
    for tokens, kept in ((4, 0), (9, 4), (7, 3), (3, 3), (3, 3), (8, 1), (2, 0)):
        prompt.change(tokens, kept)
        ids = prompt.ids()
        assert (len(ids), ids[:kept]) == (tokens, before[:kept])
        assert not (kept < min(len(before), tokens) and ids[kept] == before[kept])
        assert prompt.ids(kept) == ids[kept:]
        before = ids


def test_the_command_is_the_simulator_with_the_plugins_engine(tmp_path):
    """vLLM's scheduler gives the table of the simulator with the same engine."""
    done = simulate(*SMALL, "--backend", "vllm-scheduler", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    assert "backend vllm-scheduler" in done.output
    assert "vLLM 0.32.0 scheduler on a virtual clock" in " ".join(done.output.split())
    assert "held_tokens 1" in " ".join(done.output.split())
    cell = json.loads((tmp_path / "cell.json").read_text())
    assert (cell["backend"], cell["vllm"]) == ("vllm-scheduler", {"version": "0.32.0"})
    spec = cell["spec"]
    assert PLUGIN.items() <= spec["engine"].items()

    from headrace.cell import engines, serve
    from headrace.cli.configuration import ROOT, read_configuration
    from headrace.perf import Overheads, PerfModel
    from headrace.replay import Replay
    from headrace.workload.arrivals import arrival_times
    from headrace.workload.generate import draw

    config = read_configuration()
    perf = PerfModel.load(ROOT / config["hardware"][spec["hardware"]]["perf_model"]["file"])
    candidates = config["workloads"]["crawler"].get("typical_of", 1)
    chunks = draw("crawler", config["generators"]["crawler"], 0, spec["seed"], 12, candidates)
    starts = pl.DataFrame({"query_id": range(12), "arrival_s": arrival_times(12, 0, spec["seed"])})
    overheads = Overheads(**spec["overheads"])
    replay = Replay(chunks, starts, spec)
    table, _ = serve(0, replay, engines(spec | {"backend": "sim"}, perf, overheads)(), overheads, "here")
    assert pl.read_parquet(tmp_path / "requests.parquet").equals(table)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--timeline", "out.svg"), "--timeline: draws what the simulator does"),
        (("--policy", "vllm_032"), "policy vllm_032: is stock vLLM"),
    ],
)
def test_what_it_can_not(arguments, said):
    done = simulate(*SMALL, "--backend", "vllm-scheduler", *arguments)
    assert done.exit_code != 0
    assert said in " ".join(done.output.split())


@pytest.mark.parametrize(("key", "value"), [("blocks_ahead", 4), ("held_tokens", 0), ("whole_blocks", False)])
def test_a_spec_that_vllm_can_not_serve(key, value, tmp_path):
    from headrace.spec import check_spec

    done = simulate(*SMALL, "--backend", "vllm-scheduler", "--out", tmp_path)
    assert done.exit_code == 0, done.output
    spec = json.loads((tmp_path / "cell.json").read_text())["spec"]
    check_spec(spec, "spec")
    spec["engine"][key] = value
    with pytest.raises(HeadraceError, match=f"key engine.{key}: vLLM with the plugin can't have {value}"):
        check_spec(spec, "spec")
