"""One cell of a study: a spec and its workload in, the tables of its run out."""

import os
import platform
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import yaml

import headrace
from headrace.errors import HeadraceError
from headrace.files import write_json, write_parquet
from headrace.perf import Overheads, PerfModel
from headrace.request import Request
from headrace.scheduling import Limits, scheduler
from headrace.sim import HandOver, LivelockError, Result, Simulator
from headrace.sim.client import hand_over_times
from headrace.workload import read_arrivals, read_table, stretch

AXES = ("backend", "hardware", "workload", "delay", "eviction", "policy", "stream", "qps")


def run(
    spec: dict,
    chunks: Path,
    arrivals: Path,
    perf_model: Path,
    out: Path,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Simulate every world of the cell; write requests.parquet, cell.json and run.json into `out`.

    spec: the axes (AXES), `model`, `tensor_parallel`, `worlds`, `delay_scope` ("scrapes": the first
    wait of a query is not stretched by `delay`; "all"), `engine` {token_budget, slots, block_size,
    blocks_ahead, kv_blocks, host_blocks} and `overheads` (see Overheads). `progress(done, worlds)`
    is called after each world.

    Raises HeadraceError for a bad spec, workload or performance model, before anything is written.
    """
    started = time.perf_counter()
    perf = PerfModel.load(perf_model, model=spec["model"], tensor_parallel=spec["tensor_parallel"])
    overheads = Overheads.from_dict(spec["overheads"])
    engine = dict(spec["engine"])
    limits = Limits(blocks=engine.pop("kv_blocks"), **engine)
    table = _worlds(read_table(chunks), chunks, spec["worlds"])
    starts = _worlds(read_arrivals(arrivals), arrivals, spec["worlds"])
    _check_pool(table, limits, chunks)

    frames, worlds = [], []
    for world in range(spec["worlds"]):
        queries = _Queries(
            table.filter(pl.col("world") == world), starts.filter(pl.col("world") == world), spec
        )
        simulator = Simulator(
            scheduler(
                spec["policy"],
                spec["eviction"],
                perf.costs(overheads, limits.token_budget, limits.block_size),
                limits,
            ),
            perf.step_time(overheads, limits.token_budget),
            perf.swap_time(overheads, limits.block_size),
            limits,
        )
        requests = queries.requests()
        try:
            result = simulator.run(queries.hand_overs(overheads), requests)
        except LivelockError as error:
            raise HeadraceError(
                f"{out}: world {world}", str(error), "check kv_blocks, slots and the policy"
            ) from error
        frames.append(_requests_table(world, queries, requests))
        worlds.append(_totals(world, result, queries))
        if progress:
            progress(world + 1, spec["worlds"])

    cell = {
        "spec": spec,
        "backend": spec["backend"],
        "version": headrace.__version__,
        "perf_model": perf.describe(perf_model),
        "worlds": worlds,
    }
    write_parquet(out / "requests.parquet", pl.concat(frames))
    write_json(out / "cell.json", cell)
    write_json(out / "run.json", _circumstances(started))


def read_spec(path: Path) -> dict:
    """Read a cell's spec from JSON or YAML. Raises HeadraceError when it is unreadable or incomplete."""
    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise HeadraceError(path, f"can't be read ({error})", "give a JSON or YAML mapping") from error
    if not isinstance(spec, dict):
        raise HeadraceError(path, "is not a mapping", "give a JSON or YAML mapping")
    return spec


class _Queries:
    """One world's queries as arrays: `query` and what follows per chunk handed over, the rest per query."""

    def __init__(self, table: pl.DataFrame, starts: pl.DataFrame, spec: dict):
        self.ids = starts["query_id"].to_numpy()
        self.arrival_s = starts["arrival_s"].to_numpy() / spec["qps"]
        query_ids = table["query_id"].to_numpy()
        first = np.flatnonzero(np.diff(query_ids, prepend=-1))
        if not np.array_equal(query_ids[first], self.ids):
            raise HeadraceError(
                "arrivals", "don't belong to the queries of the workload", "regenerate both from one config"
            )
        last = np.append(first[1:], len(query_ids)) - 1
        self.chunks = last - first + 1
        query = np.repeat(np.arange(len(first)), self.chunks)
        offset_s = table["offset_s"].to_numpy()
        offset_s = stretch(offset_s, offset_s[first][query], spec["delay"], spec["delay_scope"])
        prompt = table["prompt_tokens"].to_numpy()
        prefix = table["common_prefix_tokens"].to_numpy()
        self.output_tokens = table["output_tokens"].to_numpy()[last]
        if spec["stream"]:
            appended = (table["mode"] == "append").to_numpy()
            self.message_tokens = np.where(appended, prompt - prefix, prompt)
            self.text_tokens = np.bincount(query, weights=self.message_tokens)
            self.final = table["final"].to_numpy()
        else:
            query, offset_s, prompt = query[last], offset_s[last], prompt[last]
            prefix, self.message_tokens, self.text_tokens = np.zeros_like(prompt), prompt, prompt
            self.final = np.ones(len(last), dtype=bool)
            self.chunks = np.ones_like(self.chunks)
        self.query, self.offset_s, self.prompt, self.prefix = query, offset_s, prompt, prefix

    def requests(self) -> list[Request]:
        return [Request(*row) for row in zip(self.ids.tolist(), self.output_tokens.tolist(), strict=True)]

    def hand_overs(self, overheads: Overheads) -> list[HandOver]:
        """Sorted by the time at which the client has handed them over."""
        time_s = hand_over_times(
            self.arrival_s, self.query, self.offset_s, self.message_tokens, self.text_tokens, overheads
        )
        order = np.argsort(time_s, kind="stable")
        columns = (time_s, self.query, self.prompt, self.prefix, self.final)
        return list(map(HandOver._make, zip(*(column[order].tolist() for column in columns), strict=True)))


def _worlds(table: pl.DataFrame, path: Path, worlds: int) -> pl.DataFrame:
    there = table["world"].max() + 1
    if there < worlds:
        raise HeadraceError(
            path, f"has {there} worlds, the cell wants {worlds}", "regenerate it or lower worlds"
        )
    return table.filter(pl.col("world") < worlds)


def _check_pool(table: pl.DataFrame, limits: Limits, path: Path) -> None:
    """A study's cell loses no request, so a prompt that can never run stops it before it starts."""
    longest = table.sort("prompt_tokens").row(-1, named=True)
    if not limits.fits(longest["prompt_tokens"] + longest["output_tokens"] - 1):
        raise HeadraceError(
            f"{path}: query {longest['query_id']} of world {longest['world']}",
            f"{longest['prompt_tokens']} prompt tokens don't fit a KV pool of {limits.blocks} blocks"
            f" of {limits.block_size} tokens",
            "raise kv_blocks of the hardware or shorten the prompt",
        )


def _requests_table(world: int, queries: _Queries, requests: list[Request]) -> pl.DataFrame:
    def times(name):
        return np.array([getattr(request, name) for request in requests], dtype=np.float64)

    def counts(name):
        return np.array([getattr(request, name) for request in requests], dtype=np.int32)

    handed_over_s, first_token_s, finished_s = (
        times("handed_over_s"),
        times("first_token_s"),
        times("finished_s"),
    )
    return pl.DataFrame(
        {
            "world": np.full(len(requests), world, dtype=np.int32),
            "request_id": queries.ids.astype(np.int32),
            "arrival_s": queries.arrival_s,
            "opened_s": times("opened_s"),
            "handed_over_s": handed_over_s,
            "last_chunk_s": times("last_chunk_s"),
            "first_token_s": first_token_s,
            "finished_s": finished_s,
            "ttft_s": first_token_s - handed_over_s,
            "e2e_s": finished_s - queries.arrival_s,
            "prompt_tokens": counts("prompt") - counts("output") + 1,
            "output_tokens": counts("output"),
            "computed_tokens": counts("computed_tokens"),
            "invalidated_tokens": counts("invalidated_tokens"),
            "preemptions_recompute": counts("preemptions_recompute"),
            "preemptions_swap": counts("preemptions_swap"),
            "chunks": queries.chunks.astype(np.int32),
        }
    )


def _totals(world: int, result: Result, queries: _Queries) -> dict:
    """offered_load over 1 means that the work does not fit into the time in which it arrives."""
    span_s = float(queries.arrival_s[-1])
    return {
        "world": world,
        "steps": result.steps,
        "busy_s": result.busy_s,
        "end_s": result.end_s,
        "utilisation": result.busy_s / result.end_s,
        "offered_load": result.busy_s / span_s,
        "overload": result.busy_s > span_s,
    }


def _circumstances(started: float) -> dict:
    """What varies from run to run and decides nothing."""
    git = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return {
        "commit": git.stdout.strip() or None,
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "python": platform.python_version(),
        "slurm_job_id": os.environ.get("SLURM_JOB_ID"),
        "wall_s": round(time.perf_counter() - started, 3),
    }
