"""A cell small enough to work by hand: two queries, steps of 1 s per 10 tokens, no overheads."""

import copy
import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest
from toy_model import MODEL

from headrace.perf import Overheads, write_model
from headrace.workload.arrivals import SCHEMA as ARRIVALS
from headrace.workload.table import SCHEMA as CHUNKS

SPEC = {
    "backend": "sim",
    "hardware": "toy",
    "workload": "crawler",
    "delay": 1,
    "eviction": "recompute",
    "policy": "fcfs",
    "stream": True,
    "qps": 2.0,
    "model": "toy-model",
    "tensor_parallel": 1,
    "worlds": 1,
    "delay_scope": "scrapes",
    "engine": {"token_budget": 100, "slots": 8, "kv_blocks": 100, "host_blocks": 0},
    "overheads": asdict(Overheads.none()),
}
# world, query, chunk, offset_s, mode, prompt, prefix, final, output
ROWS = [
    (0, 0, 0, 1.0, "append", 10, 0, False, 1),
    (0, 0, 1, 3.0, "append", 30, 10, True, 1),
    (0, 1, 0, 1.0, "append", 20, 0, True, 1),
]
ARRIVES = [(0, 0, 2.0), (0, 1, 6.0)]  # at 1 query/s; at 2 queries/s: 1 s and 3 s


@pytest.fixture
def toy(tmp_path: Path) -> SimpleNamespace:
    """Files and spec of the cell, free to change: toy.spec, toy.write(rows, arrives), toy.paths."""
    paths = {
        "chunks": tmp_path / "chunks.parquet",
        "arrivals": tmp_path / "arrivals.parquet",
        "perf_model": tmp_path / "model.json",
    }

    def write(rows=ROWS, arrives=ARRIVES):
        pl.DataFrame(rows, schema=CHUNKS, orient="row").write_parquet(paths["chunks"])
        pl.DataFrame(arrives, schema=ARRIVALS, orient="row").write_parquet(paths["arrivals"])

    write()
    write_model(MODEL, paths["perf_model"])
    spec_file = tmp_path / "spec.json"
    spec_file.write_text(json.dumps(SPEC))
    return SimpleNamespace(
        rows=ROWS,
        arrives=ARRIVES,
        spec=copy.deepcopy(SPEC),
        paths=paths,
        write=write,
        out=tmp_path / "cell",
        spec_file=spec_file,
    )
