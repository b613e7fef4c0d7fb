"""A small part of the study's configuration, and a toy of two requests that can be worked by hand."""

import copy
from dataclasses import asdict
from pathlib import Path

import polars as pl
import pytest
from toy_model import MODEL

from headrace import trial
from headrace.config import read_all
from headrace.metrics.cell import SCHEMA
from headrace.perf import Overheads, write_model

ROOT = Path(__file__).parents[3]
CELL = {
    "backend": "sim",
    "hardware": "toy",
    "workload": "anns",
    "delay": 1,
    "eviction": "recompute",
    "policy": "fcfs",
    "stream": True,
    "qps": 2.0,
}
# Query 0 sends 10 tokens at 1 s, at 3 s 30 of which the first 5 were there; query 1 sends 20 at 1 s.
CHUNKS = {
    "query_id": [0, 0, 1],
    "chunk_index": [0, 1, 0],
    "offset_s": [1.0, 3.0, 1.0],
    "mode": ["update"] * 3,
    "prompt_tokens": [10, 30, 20],
    "common_prefix_tokens": [0, 5, 0],
    "final": [False, True, True],
    "output_tokens": [1, 1, 1],
}


@pytest.fixture(scope="session")
def _whole():
    return read_all([ROOT / "config/config.yaml"])


@pytest.fixture
def config(_whole):
    """The study's configuration with few queries, free to change."""
    whole = copy.deepcopy(_whole)
    for name, queries in (("crawler", 60), ("anns", 40)):
        whole["workloads"][name] |= {"queries": queries, "typical_of": 1}
    return whole


@pytest.fixture
def definition(config):
    """What the configuration says of the sensitivity study, free to change."""
    return config["variants"]["stream2llm"]["sensitivity"]


@pytest.fixture(scope="session")
def reference():
    """The files of published numbers."""
    return sorted((ROOT / "data/reference/stream2llm").glob("*.csv"))


@pytest.fixture
def toy(tmp_path, monkeypatch):
    """A configuration whose every world is the two queries above, and one cell of it."""
    write_model(MODEL, tmp_path / "model.json")
    monkeypatch.setattr(trial, "draw", lambda *_: pl.DataFrame(CHUNKS))
    model = {"provider": "fixed", "model": "toy-model", "file": str(tmp_path / "model.json")}
    engine = {"slots": 8, "block_size": 16, "blocks_ahead": 4}
    study = {
        "model": "toy-model",
        "engine": engine,
        "workloads": {"anns": {"token_budget": 100, "delay_scope": "all"}},
    }
    hardware = {
        "tensor_parallel": 1,
        "perf_model": model,
        "kv_blocks": 100,
        "host_blocks": 0,
        "overheads": asdict(Overheads.none()),
    }
    configuration = {
        "seed": 1,
        "hardware": {"toy": hardware},
        "workloads": {"anns": {"source": "synthetic", "queries": 2, "worlds": 1}},
        "generators": {"anns": {}},
        "studies": {"toy": study},
    }
    return configuration, CELL


@pytest.fixture
def metrics_of():
    """Makes rows of a metrics table for one cell: quantity -> values by world, world 0 first."""

    def rows(cell, first=0, **quantities):
        table = [
            {**cell, "world": world, "quantity": quantity.replace("99_9", "99.9"), "value": float(value)}
            for quantity, values in quantities.items()
            for world, value in enumerate(values, first)
        ]
        return pl.DataFrame(table, schema=SCHEMA)

    return rows
