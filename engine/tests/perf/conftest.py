import copy
from types import SimpleNamespace

import pytest

from headrace.files import sha256
from headrace.perf import Overheads, PerfModel

TABLES = {
    "format": "headrace-perf-model/1",
    "hardware": "toy-tp2",
    "gpu": "Toy",
    "model": "llama-3.1-8b",
    "dtype": "bfloat16",
    "tensor_parallel": 2,
    "provider": "fixed",
    "provenance": {"how": "by hand"},
    "step": {
        "tokens": [4, 8, 16],
        "dense_s": [0.010, 0.020, 0.060],
        "attention_s_per_token_pair": 1e-4,
        "decode_s_per_context_token": 1e-5,
        "r2": 1.0,
        "max_rel_error": 0.0,
    },
    "recompute": {
        "tokens": [16, 32, 64, 128],
        "latency_s": [[0.010, 0.012], [0.021], [0.043], [0.090]],
        "fit": [0.0, 0.0007, 0.0],
        "r2": 1.0,
    },
    "swap": {
        "tokens": [16, 32, 64],
        "in_s": [[0.001], [0.002], [0.006]],
        "out_s": [[0.003], [0.006], [0.010]],
        "fit": [0.0, 0.00025, 0.0],
        "r2": 1.0,
    },
    "kv_bytes_per_token": 131072,
    "block_bytes": 2097152,
}


@pytest.fixture(scope="session")
def toy():
    """A small model, checked and hashed."""
    return PerfModel.from_document({**TABLES, "sha256": sha256(TABLES)}, "toy")


@pytest.fixture
def tables():
    """The small model's document, free to change."""
    return copy.deepcopy(TABLES)


@pytest.fixture(scope="session")
def request_of():
    """Makes what a step time reads of a request: its computed tokens."""
    return lambda computed: SimpleNamespace(computed=computed)


@pytest.fixture(scope="session")
def overheads():
    """Makes Overheads that are 0 except for what is given."""

    return Overheads.none
