"""When queries start: a Poisson process at 1 query/s, to be divided by a cell's rate."""

import zlib
from pathlib import Path

import numpy as np
import polars as pl

from headrace.errors import HeadraceError
from headrace.files import write_parquet
from headrace.workload.table import conform, read_parquet, refuse

SCHEMA = {"world": pl.Int32, "query_id": pl.Int32, "arrival_s": pl.Float64}
PUBLISHED_SEED = 42


def write_arrivals(queries: int, worlds: int, seed: int, out: Path) -> None:
    """Write the arrivals of queries 0..queries-1 in worlds 0..worlds-1, in seconds at a mean gap of 1 s.

    Raises HeadraceError when there is no query or no world.
    """
    if queries < 1 or worlds < 1:
        raise HeadraceError(out, f"{queries} queries in {worlds} worlds", "ask for at least one of each")
    times = [arrival_times(queries, world, seed) for world in range(worlds)]
    table = pl.DataFrame(
        {
            "world": np.repeat(np.arange(worlds), queries),
            "query_id": np.tile(np.arange(queries), worlds),
            "arrival_s": np.concatenate(times),
        }
    )
    write_parquet(out, conform(table, SCHEMA, out))


def arrival_times(queries: int, world: int, seed: int) -> np.ndarray:
    """Starts of a world's queries in s, shape (queries,), ascending.

    World 0 has the published sequence: the Stream2LLM artifact draws np.random.exponential(1 / qps) per
    query after np.random.seed(42), so the same unit sequence serves both workloads and every rate.
    The others are drawn from (seed, world).
    """
    if world == 0:
        return np.random.RandomState(PUBLISHED_SEED).exponential(1.0, queries).cumsum()
    return generator(seed, world, "arrivals").exponential(1.0, queries).cumsum()


def read_arrivals(path: Path) -> pl.DataFrame:
    """Read an arrivals table: world, query_id, arrival_s, sorted by world and query_id.

    Raises HeadraceError for an unreadable file, a missing column, no rows, rows out of order or there
    twice, and times that are not finite, negative or decreasing within a world.
    """
    table = conform(read_parquet(path), SCHEMA, path)
    c = pl.col
    world, query, arrival = (c(name).shift() for name in SCHEMA)
    same = c("world") == world
    rules = [
        ((c("world") < 0) | (c("query_id") < 0), "has a negative number", "count from 0"),
        (c("world") < world, "is out of order", "sort by world, query_id"),
        (same & (c("query_id") == query), "is there twice", "give each query once"),
        (same & (c("query_id") < query), "is out of order", "sort by world, query_id"),
        (
            ~c("arrival_s").is_finite() | (c("arrival_s") < 0),
            "has a bad arrival_s",
            "give seconds of at least 0",
        ),
        (same & (c("arrival_s") < arrival), "goes back in time", "arrival_s must not decrease"),
    ]
    refuse(table, rules, path, ("world", "query_id"))
    return table


def generator(seed: int, world: int, what: str) -> np.random.Generator:
    """Random numbers of one world and purpose, independent of all others."""
    return np.random.default_rng(np.random.SeedSequence((seed, world, zlib.crc32(what.encode()))))
