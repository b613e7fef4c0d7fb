"""Cells on a real engine: the tables of the simulator, measured; what an error and an interrupt leave."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import model
import numpy as np
import polars as pl
import pytest
from vllm.platforms.interface import UnspecifiedPlatform

from headrace import cell
from headrace.axes import TYPES
from headrace.errors import HeadraceError
from headrace.files import write_json
from headrace.metrics.cell import cell_metrics
from headrace.metrics.requests import read_requests
from headrace.perf.architecture import Model
from headrace.spec import PLUGIN
from headrace.vllm.cells.cell import prepare, serve
from headrace.vllm.cells.engine import check_device
from headrace.vllm.cells.job import Job
from headrace.vllm.cells.launch import run
from headrace.vllm.cells.replay import messages
from headrace.vllm.cells.settings import Settings, vllm_version
from headrace.vllm.cells.weights import prepare as prepare_weights
from headrace.workload.token_ids import prompts, token_ids

REPOSITORY = Path(__file__).parents[2]
PERF_MODEL = REPOSITORY / "data/perf_models/cpu.tiny-llama.roofline.json"
SIZES = Model(
    hub_names=("tiny-llama",),
    dtype="float32",
    layers=model.LAYERS,
    hidden_size=model.HIDDEN,
    attention_heads=model.HEADS,
    kv_heads=model.KV_HEADS,
    head_dim=model.HEAD_DIM,
    intermediate_size=model.INTERMEDIATE,
    vocab_size=model.VOCABULARY,
    max_context_tokens=8192,
)
QUERIES, GAP_S, CHUNK_GAP_S = 10, 0.15, 0.6
"""Arrivals are so close that all streams are open at a time, however fast the machine is."""
BLOCKS, HOST_BLOCKS = 81, 400
NONE = {
    **dict.fromkeys(("dense_scale", "attention_scale"), 1.0),
    **dict.fromkeys(("step_s", "request_s", "live_s", "reply_s", "handover_s"), 0.0),
    **dict.fromkeys(("handover_token_s", "tokenise_token_s", "swap_block_s"), 0.0),
}
BROKEN = '''
from headrace.scheduling import Policy


class Broken(Policy):
    """Fails when the third query gets its second chunk."""

    @staticmethod
    def key(request):
        if request.last_chunk_s > request.opened_s + 0.2:
            raise RuntimeError("no idea who is next")
        return request.opened_s, request.id
'''


def workload(mode):
    """Queries of 2 to 5 chunks, 60 to 1,400 tokens; updates keep part of the prompt, or all of it."""
    rng = np.random.default_rng(7)
    rows = []
    for query in range(QUERIES):
        size, chunks = 0, int(rng.integers(2, 6))
        for index in range(chunks):
            before = size
            size = before + int(rng.integers(30, 350)) if mode == "append" else int(rng.integers(60, 1400))
            kept = before if mode == "append" else int(rng.integers(0, min(before, size) + 1))
            offset_s = 0.05 + index * CHUNK_GAP_S
            kind = mode if index else "append"
            rows.append((0, query, index, offset_s, kind, size, kept, index == chunks - 1, 1 + query % 3))
    names = ("world", "query_id", "chunk_index", "offset_s", "mode", "prompt_tokens")
    names += ("common_prefix_tokens", "final", "output_tokens")
    integers = dict.fromkeys((*names[:3], *names[5:7], "output_tokens"), pl.Int32)
    return pl.DataFrame(rows, schema=list(names), orient="row").cast(integers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The tables of two workloads and the arrivals of both."""
    found = tmp_path_factory.mktemp("cells")
    for mode in ("append", "update"):
        workload(mode).write_parquet(found / f"{mode}.parquet")
    arrivals = {"world": [0] * QUERIES, "query_id": range(QUERIES)}
    arrivals |= {"arrival_s": [GAP_S * (query + 1) for query in range(QUERIES)]}
    integers = {"world": pl.Int32, "query_id": pl.Int32}
    pl.DataFrame(arrivals).cast(integers).write_parquet(found / "arrivals.parquet")
    return found


def spec(mode="append", policy="lcas", stream=True, eviction="swap", budget=512, **keys):
    engine = {"token_budget": budget, "slots": 8, "kv_blocks": BLOCKS, "host_blocks": HOST_BLOCKS}
    return {
        "backend": "vllm",
        "hardware": "cpu",
        "workload": mode,
        "delay": 1,
        "eviction": eviction,
        "policy": policy,
        "stream": stream,
        "qps": 1.0,
        "model": "tiny-llama",
        "tensor_parallel": 1,
        "worlds": 1,
        "delay_scope": "all",
        "engine": engine | {"block_size": 32} | PLUGIN,
        "overheads": NONE,
        "queries": QUERIES,
        **keys,
    }


def job(folder, model_folder, cells, **keys):
    """A job of these cells, {name: spec}; weights are those of the model on disk, read for real."""
    weights = folder / "weights.json"
    prepare_weights(SIZES, str(model_folder), None, "auto", folder, weights)
    files = {"arrivals": str(folder / "arrivals.parquet"), "template_tokens": 0}
    given = {
        "name": "cells",
        "cells": tuple(
            {"spec": spec, "sources": "digest", "out": str(folder / "cells" / name)}
            for name, spec in cells.items()
        ),
        "workloads": {
            mode: {"chunks": str(folder / f"{mode}.parquet"), **files} for mode in ("append", "update")
        },
        "perf_model": str(PERF_MODEL),
        "weights": str(weights),
        "gpu": "cpu",
        "model": {name: getattr(SIZES, name) for name in SIZES.__dataclass_fields__},
        "seed": 1,
        "settings": Settings(extra_args={"enforce_eager": True}),
        "store": str(folder / "served"),
    }
    return Job(**given | keys)


CELLS = {
    "appends": spec(),
    "updates": spec("update", "fcfs", eviction="cost_victim", budget=256),
    "whole": spec("append", "default_vllm", stream=False, eviction="recompute"),
}


@pytest.fixture(scope="module")
def interrupted(folder, model_folder):
    """A job whose last cell kills the engine: what it said, and what was there afterwards."""
    broken = folder / "broken.py"
    broken.write_text(BROKEN)
    cells = CELLS | {"broken": spec(policy=f"{broken}:Broken")}
    with pytest.MonkeyPatch.context() as patch:
        said = []
        patch.setattr("sys.stderr", Said(said))
        with pytest.raises(HeadraceError) as error:
            run(job(folder, model_folder, cells))
    kept = sorted(path.name for path in (folder / "served").iterdir())
    return error.value, "".join(said), kept, (folder / "cells").exists()


class Said:
    """A stderr that keeps what it is told."""

    def __init__(self, texts):
        self.texts = texts

    def write(self, text):
        self.texts.append(text)
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False


def nobody_left(session):
    """Whether all its processes end by themselves, engine and workers; they are killed if not."""
    try:
        for _ in range(100):  # a little: who has ended waits to be collected
            os.killpg(session, 0)
            time.sleep(0.1)
        os.killpg(session, signal.SIGKILL)
    except ProcessLookupError:
        return True
    return False


class Started:
    """An engine that is asked for, and does not start."""

    class Asked(Exception):
        pass

    asked = False

    def __call__(self, arguments, place):
        self.asked = True
        raise self.Asked


@pytest.fixture(scope="module")
def served(interrupted, folder, model_folder):
    """The tables of the cells that were finished, taken over by a job that starts no engine."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headrace.vllm.cells.cell.running", None)
        serve(job(folder, model_folder, CELLS))
    return {name: folder / "cells" / name for name in CELLS}


def test_an_engine_that_dies_is_told_with_the_request(interrupted):
    error, said, _, _ = interrupted
    assert str(error) == "cells: its process ended with 1; its words are above"
    (line,) = [line for line in said.splitlines() if "broken: world 0, request" in line]
    assert "see the engine's words above" in line
    assert "Traceback" not in said.split(line)[1]


def test_finished_cells_outlive_it_and_nothing_is_half_written(interrupted):
    _, _, kept, any_cell = interrupted
    assert len(kept) == len(CELLS)
    assert all(not name.startswith(".") for name in kept)
    assert not any_cell


def test_a_finished_cell_is_not_served_again(served):
    for folder in served.values():
        names = {"requests.parquet", "lateness.parquet", "cell.json", "run.json"}
        assert {path.name for path in folder.iterdir()} == names


@pytest.mark.parametrize("name", CELLS)
def test_tables_are_those_of_the_simulator(served, folder, name):
    simulated = folder / "simulated" / name
    asked = CELLS[name] | {"backend": "sim"}
    table = folder / f"{asked['workload']}.parquet"
    cell.run(asked, table, folder / "arrivals.parquet", PERF_MODEL, simulated)
    ours = pl.read_parquet(served[name] / "requests.parquet")
    theirs = pl.read_parquet(simulated / "requests.parquet")
    assert ours.schema == theirs.schema
    same = ["world", "request_id", "arrival_s", "prompt_tokens", "output_tokens", "chunks"]
    assert ours.select(same).equals(theirs.select(same))


@pytest.mark.parametrize("name", CELLS)
def test_times_and_counts_of_a_request_fit_together(served, name):
    table = pl.read_parquet(served[name] / "requests.parquet")
    slack_s = 0.02  # two processes, two clocks
    for earlier, later in (
        ("arrival_s", "opened_s"),
        ("opened_s", "handed_over_s"),
        ("handed_over_s", "first_token_s"),
        ("last_chunk_s", "first_token_s"),
        ("first_token_s", "finished_s"),
    ):
        assert (table[later] - table[earlier]).min() > -slack_s, (earlier, later)
    assert np.allclose(table["ttft_s"], table["first_token_s"] - table["handed_over_s"])
    assert np.allclose(table["e2e_s"], table["finished_s"] - table["arrival_s"])
    whole = table["prompt_tokens"] + table["output_tokens"] - 1
    recomputed = table["computed_tokens"] - whole - table["invalidated_tokens"]
    assert recomputed.min() >= 0
    undisturbed = table.filter(pl.col("preemptions_recompute") == 0)
    lost = undisturbed["computed_tokens"] - undisturbed["prompt_tokens"] - undisturbed["output_tokens"] + 1
    # An update that cuts into a block gives up the rest of the block too: not counted as invalidated.
    assert (lost - undisturbed["invalidated_tokens"] <= 32 * undisturbed["chunks"]).all()


def test_memory_was_short_and_updates_invalidated(served):
    tables = {name: pl.read_parquet(folder / "requests.parquet") for name, folder in served.items()}
    assert tables["appends"]["preemptions_swap"].sum() > 0
    assert tables["appends"]["preemptions_recompute"].sum() == 0
    assert tables["updates"]["invalidated_tokens"].sum() > 0
    assert tables["appends"]["invalidated_tokens"].sum() == 0
    assert (tables["whole"]["opened_s"] == tables["whole"]["handed_over_s"]).all()


@pytest.mark.parametrize("name", CELLS)
def test_lateness_of_every_send_is_recorded(served, folder, name):
    sends = pl.read_parquet(served[name] / "lateness.parquet")
    chunks = workload(CELLS[name]["workload"])
    if not CELLS[name]["stream"]:
        chunks = chunks.filter("final")
    assert len(sends) == len(chunks)
    due_s = GAP_S * (chunks["query_id"] + 1) + chunks["offset_s"]
    assert np.allclose(sends["due_s"], due_s)
    assert (sends["began_s"] >= sends["due_s"] - 0.002).all()
    assert (sends["returned_s"] > sends["began_s"]).all()
    late = json.loads((served[name] / "run.json").read_text())["lateness"]
    late_ms = (sends["began_s"] - sends["due_s"]).to_numpy() * 1e3
    assert late["p99_ms"] == pytest.approx(np.percentile(late_ms, 99))
    assert late["max_ms"] == pytest.approx(late_ms.max())


def test_a_cell_says_what_served_it(served):
    content = json.loads((served["updates"] / "cell.json").read_text())
    assert content["spec"] == CELLS["updates"]
    assert content["vllm"]["version"] == vllm_version()
    assert content["vllm"]["device"] == "cpu"
    assert content["vllm"]["planning"]["token_budget"] == 256
    assert content["vllm"]["engine"]["max_num_batched_tokens"] == 512
    assert content["vllm"]["weights"]["load_format"] == "auto"
    assert set(content["vllm"]["planning"]["costs"]) == {"recompute_s", "swap_s"}
    assert "costs" not in json.loads((served["whole"] / "cell.json").read_text())["vllm"]["planning"]


def test_metrics_read_them(served, tmp_path):
    axes = {name: CELLS["appends"][name] for name in TYPES}
    # As in a study: the folders say which cell it is.
    at = tmp_path.joinpath(*(f"{key}={str(value).lower()}" for key, value in axes.items()))
    at.mkdir(parents=True)
    (at / "requests.parquet").write_bytes((served["appends"] / "requests.parquet").read_bytes())
    metrics = cell_metrics(read_requests(at / "requests.parquet"), axes)
    found = dict(metrics.select("quantity", "value").iter_rows())
    assert found["requests"] == QUERIES
    assert found["refused"] == 0
    assert 0 < found["ttft_p50_s"] <= found["ttft_p99_s"]


@pytest.mark.parametrize("mode", ["append", "update"])
def test_messages_build_the_prompts_of_the_workload(mode):
    table = workload(mode)
    given = {"vocabulary": range(3, 1000), "template_tokens": 0, "seed": 1}
    sent = messages(table, 0, True, **given)
    whole = messages(table, 0, False, **given)
    modes = iter(table["mode"])
    for query, chunks in token_ids(table, 0, **given):
        kept = table.filter(query_id=query)["common_prefix_tokens"].to_list()
        prompt = []
        for wanted in prompts(chunks, kept):
            message = next(sent).tolist()
            prompt = prompt + message if next(modes) == "append" else message
            assert prompt == wanted.tolist()
        assert next(whole).tolist() == prompt
    assert next(sent, None) is None
    assert next(whole, None) is None


def test_another_device_is_refused_by_name():
    with pytest.raises(
        HeadraceError, match=r"job: key gpu: the entry is for 'NVIDIA H200 SXM', the GPU here"
    ):
        check_device("NVIDIA H200 SXM", 2, "job")
    assert check_device("cpu", 2, "job") == "cpu"


def test_a_machine_without_any_device_is_refused(monkeypatch):
    """vLLM's build for GPUs where there is none, or no driver: a job that came to the wrong machine."""
    monkeypatch.setattr("headrace.vllm.cells.engine.current_platform", UnspecifiedPlatform())
    with pytest.raises(HeadraceError, match="2 x NVIDIA H200 SXM are needed, torch sees 0: none"):
        check_device("NVIDIA H200 SXM", 2, "job")


def test_a_cell_that_another_vllm_served_is_served_again(folder, model_folder, served, monkeypatch):
    monkeypatch.setattr("headrace.vllm.cells.cell.vllm_version", lambda: "vllm 0.32.9")
    monkeypatch.setattr("headrace.vllm.cells.cell.running", started := Started())
    with pytest.raises(Started.Asked):
        serve(job(folder, model_folder, CELLS))
    assert started.asked


def test_a_kill_ends_the_engine_and_keeps_what_was_finished(folder, model_folder, tmp_path):
    """What a batch system sends before a time limit: to the process that serves, amid its second cell."""
    given = job(folder, model_folder, {name: CELLS[name] for name in ("appends", "whole")})
    given = dataclasses.replace(given, store=str(tmp_path / "served"))
    write_json(tmp_path / "job.json", given.as_dict())
    serving = subprocess.Popen(
        [sys.executable, "-m", "headrace.vllm.cells.launch", str(tmp_path / "job.json")],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    for line in serving.stderr:
        if "cell 2 of 2" in line:
            break
    serving.terminate()
    assert serving.wait(60) == 143
    assert nobody_left(serving.pid)
    (kept,) = (tmp_path / "served").iterdir()
    assert json.loads((kept / "cell.json").read_text())["spec"] == CELLS["appends"]
    assert "Traceback" not in serving.stderr.read()


@pytest.mark.parametrize(
    ("changes", "keys", "message"),
    [
        ({"kv_blocks": 20}, {}, r"longest request has 1,\d+ tokens, the KV pool takes 608; raise"),
        (
            {},
            {"settings": Settings(max_model_len=100)},
            r"vllm.max_model_len takes 100; raise it, or set null",
        ),
        ({}, {"workloads": {}}, r"workload update: its tables are not given"),
        ({"slots": None}, {}, r"spec: key engine: key slots: None is no whole number"),
    ],
)
def test_what_can_not_be_served_is_told_before_an_engine_starts(folder, model_folder, changes, keys, message):
    asked = spec("update")
    asked["engine"] |= changes
    with pytest.raises(HeadraceError, match=message):
        prepare(job(folder, model_folder, {"one": asked}, **keys))


def test_a_job_without_a_cell_is_refused(folder, model_folder):
    with pytest.raises(HeadraceError, match="cells: has no cell"):
        prepare(job(folder, model_folder, {}))


def test_a_cell_of_the_simulator_is_no_cell_of_vllm(folder, model_folder):
    with pytest.raises(HeadraceError, match=r"key backend: is 'sim'; it must be 'vllm'"):
        prepare(job(folder, model_folder, {"one": spec(backend="sim")}))
