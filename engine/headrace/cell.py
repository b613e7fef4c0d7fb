"""One cell of a study: a spec and its workload in, the tables of its run out."""

import hashlib
import importlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import polars as pl

import headrace
from headrace.circumstances import circumstances
from headrace.errors import HeadraceError
from headrace.files import write_json, write_parquet
from headrace.perf import Overheads, PerfModel
from headrace.replay import Replay, first_worlds
from headrace.request import Request
from headrace.scheduling import Limits, Scheduler, scheduler
from headrace.scheduling.own import own_file
from headrace.sim import LivelockError, Result, Simulator
from headrace.sim.client import Client
from headrace.sim.collector import collector_paused
from headrace.spec import check_spec
from headrace.workload import read_arrivals, read_table


def run(
    spec: dict,
    chunks: Path,
    arrivals: Path,
    perf_model: Path,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
    watch: Callable[[int, Scheduler], Scheduler] | None = None,
) -> None:
    """Serve every world of the cell on a virtual clock; requests.parquet, cell.json and run.json go to `out`.

    spec: the keys of headrace.spec.Spec. `progress(done, worlds)` is called after each world.
    `watch(world, scheduler)` returns the scheduler that serves the world: the given one, or one around
    it that records what it does (headrace.sim.record).

    Raises HeadraceError for a bad spec, workload or performance model, before anything is written.
    """
    started = time.perf_counter()
    overheads = check_spec(spec, f"{out}: spec").overheads
    perf = PerfModel.load(perf_model, model=spec["model"], tensor_parallel=spec["tensor_parallel"])
    if perf.hardware != spec["hardware"]:
        raise HeadraceError(
            perf_model,
            f"made for {perf.hardware}, not for {spec['hardware']}",
            "a file made for that hardware",
        )
    table = first_worlds(read_table(chunks), chunks, spec["worlds"])
    starts = first_worlds(read_arrivals(arrivals), arrivals, spec["worlds"])
    new_engine = engines(spec, perf, overheads)
    handed_over = table if spec["stream"] else table.filter(pl.col("final"))
    _check_pool(handed_over, new_engine().limits, chunks)

    frames, worlds = [], []
    with collector_paused():
        for world in range(spec["worlds"]):
            this_world = pl.col("world") == world
            replay = Replay(table.filter(this_world), starts.filter(this_world), spec)
            engine = new_engine()
            if getattr(engine.scheduler, "appends_only", False):
                replay.check_appends(chunks)
            if watch:
                engine.scheduler = watch(world, engine.scheduler)
            frame, totals = serve(world, replay, engine, overheads, out)
            frames.append(frame)
            worlds.append(totals)
            if progress:
                progress(world + 1, spec["worlds"])

    cell = {
        "spec": spec,
        "backend": spec["backend"],
        "version": headrace.__version__,
        "perf_model": perf.describe(_in_repository(perf_model)),
        "worlds": worlds,
    }
    if spec["backend"] == "vllm-scheduler":
        cell["vllm"] = {"version": _virtual().VLLM}
    if own := own_file(spec["policy"]):
        cell["policy_sha256"] = hashlib.sha256(own.read_bytes()).hexdigest()
    write_parquet(out / "requests.parquet", pl.concat(frames))
    write_json(out / "cell.json", cell)
    write_json(out / "run.json", circumstances(started))


def serve(
    world: int, replay: Replay, engine: Simulator, overheads: Overheads, place: object
) -> tuple[pl.DataFrame, dict]:
    """Serve one world on a new engine: its requests table, and its totals as in cell.json.

    Raises HeadraceError, naming `place`, when the engine makes no progress or a prompt does not fit its pool.
    """
    requests, client = replay.requests(), replay.client(overheads)
    try:
        result = engine.run(replay.hand_overs(client), requests)
    except LivelockError as error:
        raise HeadraceError(
            f"{place}: world {world}", str(error), "check kv_blocks, slots and the policy"
        ) from error
    if result.refused:
        raise HeadraceError(
            f"{place}: world {world}",
            f"{len(result.refused)} prompts don't fit a KV pool of {engine.limits.blocks} blocks",
            "raise kv_blocks of the hardware or shorten the prompts",
        )
    return _requests_table(world, replay, requests, client, overheads), _totals(world, result, replay)


def _in_repository(file: Path) -> Path:
    """Relative to the repository, where the file lies in it: a result does not say where that is."""
    root, whole = Path(headrace.__file__).resolve().parents[2], Path(file).resolve()
    return whole.relative_to(root) if whole.is_relative_to(root) else file


def engines(spec: dict, perf: PerfModel, overheads: Overheads) -> Callable[[], Simulator]:
    """Makes engines of the cell, one per world; what they share is computed once.

    The backend says who decides: our planner in the simulator, or in vLLM's scheduler (VirtualEngine).
    """
    limits = limits_of(spec["engine"])
    costs = perf.costs(overheads, limits.token_budget, limits.block_size)
    step_time = perf.step_time(overheads, limits.token_budget)
    swap_time = perf.swap_time(overheads, limits.block_size)

    if spec["backend"] == "vllm-scheduler":
        virtual = _virtual()
        return lambda: virtual.VirtualEngine(
            virtual.plugin(spec["policy"], spec["eviction"], costs, limits),
            step_time,
            swap_time,
            limits,
            live_s=overheads.live_s,
        )

    def new_engine() -> Simulator:
        planner = scheduler(spec["policy"], spec["eviction"], costs, limits)
        return Simulator(planner, step_time, swap_time, limits, live_s=overheads.live_s)

    return new_engine


def _virtual() -> ModuleType:
    """headrace.vllm.virtual, by name: an edit of the plugin changes no simulated cell (headrace.digest).

    Raises HeadraceError where vLLM is not installed.
    """
    logging.getLogger("vllm").setLevel(logging.ERROR)  # it warns of what a worker would want
    try:
        return importlib.import_module("headrace.vllm.virtual")
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in ("vllm", "torch"):
            raise
        raise HeadraceError(
            "backend vllm-scheduler", f"{error.name} is not installed", "pip install 'headrace[vllm]'"
        ) from error


def limits_of(engine: dict) -> Limits:
    """The limits that the key `engine` of a spec gives. Raises HeadraceError for such as can't be."""
    keys = dict(engine)
    try:
        return Limits(blocks=keys.pop("kv_blocks") - keys.pop("reserved_blocks", 0), **keys)
    except ValueError as error:
        raise HeadraceError("spec: key engine", str(error), "see docs/engine.md") from error


def _check_pool(table: pl.DataFrame, limits: Limits, path: Path) -> None:
    """A study's cell loses no request, so a prompt that can never run stops it before it starts."""
    sizes = table["prompt_tokens"] + table["output_tokens"] - 1
    longest = table.row(sizes.arg_max(), named=True)
    if sizes.max() > limits.longest_tokens:
        raise HeadraceError(
            f"{path}: query {longest['query_id']} of world {longest['world']}",
            f"{longest['prompt_tokens']} prompt tokens don't fit a KV pool of {limits.blocks} blocks"
            f" of {limits.block_size} tokens",
            "raise kv_blocks of the hardware or shorten the prompt",
        )


def _requests_table(
    world: int, replay: Replay, requests: list[Request], client: Client, overheads: Overheads
) -> pl.DataFrame:
    def times(name):
        return np.array([getattr(request, name) for request in requests], dtype=np.float64)

    def counts(name):
        return np.array([getattr(request, name) for request in requests], dtype=np.int32)

    handed_over_s = replay.handed_over_s(times("handed_over_s"), overheads)
    first_token_s = client.noted_s(times("first_token_s"))
    finished_s = client.noted_s(times("finished_s"))
    return pl.DataFrame(
        {
            "world": np.full(len(requests), world, dtype=np.int32),
            "request_id": replay.ids.astype(np.int32),
            "arrival_s": replay.arrival_s,
            "opened_s": times("opened_s") if replay.stream else handed_over_s,
            "handed_over_s": handed_over_s,
            "last_chunk_s": times("last_chunk_s"),
            "first_token_s": first_token_s,
            "finished_s": finished_s,
            "ttft_s": first_token_s - handed_over_s,
            "e2e_s": finished_s - replay.arrival_s,
            "prompt_tokens": counts("prompt") - counts("output") + 1,
            "output_tokens": counts("output"),
            "computed_tokens": counts("computed_tokens"),
            "invalidated_tokens": counts("invalidated_tokens"),
            "preemptions_recompute": counts("preemptions_recompute"),
            "preemptions_swap": counts("preemptions_swap"),
            "chunks": replay.chunks.astype(np.int32),
        }
    )


def _totals(world: int, result: Result, replay: Replay) -> dict:
    """offered_load over 1 means that the work does not fit into the time in which it arrives.

    It is None when all arrive at the start of the clock.
    """
    span_s = float(replay.arrival_s[-1])
    return {
        "world": world,
        "steps": result.steps,
        "busy_s": result.busy_s,
        "end_s": result.end_s,
        "utilisation": result.busy_s / result.end_s,
        "offered_load": result.busy_s / span_s if span_s else None,
        "overload": result.busy_s > span_s,
    }
