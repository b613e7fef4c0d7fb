"""Cells made up for tests of what reads them: metrics, scorecard and figures."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest


def made_up_requests(worlds: int, queries: int, qps: float, slowness: float, seed: int) -> pl.DataFrame:
    """Log-normal TTFT of median 0.05 * `slowness` s; world 0 has the published arrivals."""
    tables = []
    for world in range(worlds):
        draw = np.random.default_rng((seed, world))
        gaps = np.random.RandomState(42 + world).exponential(1.0, queries)
        arrival = gaps.cumsum() / qps
        opened = arrival + draw.uniform(0.5, 2.0, queries)
        handed = opened + draw.uniform(0.5, 5.0, queries)
        ttft = 0.05 * slowness * draw.lognormal(0.0, 1.2, queries)
        tables.append(
            pl.DataFrame(
                {
                    "world": np.full(queries, world, np.int32),
                    "request_id": np.arange(queries, dtype=np.int32),
                    "arrival_s": arrival,
                    "opened_s": opened,
                    "handed_over_s": handed,
                    "last_chunk_s": handed,
                    "first_token_s": handed + ttft,
                    "finished_s": handed + ttft,
                    "ttft_s": ttft,
                    "e2e_s": handed + ttft - arrival,
                    "prompt_tokens": draw.integers(500, 20_000, queries).astype(np.int32),
                    "output_tokens": np.ones(queries, np.int32),
                    "computed_tokens": draw.integers(500, 20_000, queries).astype(np.int32),
                    "invalidated_tokens": draw.integers(100, 9_000, queries).astype(np.int32),
                    "preemptions_recompute": (draw.uniform(size=queries) < 0.3).astype(np.int32),
                    "preemptions_swap": (draw.uniform(size=queries) < 0.1).astype(np.int32),
                    "chunks": np.full(queries, 4, np.int32),
                }
            )
        )
    return pl.concat(tables)


@pytest.fixture
def fabricate(tmp_path: Path) -> Callable[..., Path]:
    """Write one made-up cell under `tmp_path/cells`; returns its requests table's path."""

    def write(
        workload: str = "crawler",
        policy: str = "default_vllm",
        qps: float = 1.0,
        *,
        stream: bool = True,
        hardware: str = "h200-tp2",
        delay: int = 1,
        eviction: str = "cost_published",
        worlds: int = 3,
        queries: int = 60,
        slowness: float = 1.0,
        seed: int = 7,
    ) -> Path:
        folder = (
            tmp_path
            / "cells"
            / "backend=sim"
            / f"hardware={hardware}"
            / f"workload={workload}"
            / f"delay={delay}"
        )
        folder = (
            folder
            / f"eviction={eviction}"
            / f"policy={policy}"
            / f"stream={str(stream).lower()}"
            / f"qps={qps}"
        )
        folder.mkdir(parents=True, exist_ok=True)
        made_up_requests(worlds, queries, qps, slowness, seed).write_parquet(folder / "requests.parquet")
        return folder / "requests.parquet"

    return write
