"""A tiny Llama, and entries of one and of two GPUs to profile it on: on the CPU."""

import json
import os

import pytest

from headrace.perf import load_models

# Matrices are tiny: threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

HARDWARE = """
{name}:
  gpu: NVIDIA A40
  tensor_parallel: {gpus}
  gpu_memory_bytes: 48305799168
  memory_bytes_per_s: 6.96e+11
  flop_per_s: 1.497e+14
  pcie_bytes_per_s: 3.2e+10
  perf_model: {{provider: profiled, model: tiny, file: none.json}}
  kv_blocks: 64
  host_blocks: 128
  calibrated: false
  overheads:
    {{dense_scale: 1, attention_scale: 1, step_s: 0, request_s: 0, live_s: 0, reply_s: 0, handover_s: 0,
    handover_token_s: 0, tokenise_token_s: 0, swap_block_s: 0}}
"""
MODELS = {
    "tiny": {
        "hub_names": ["tiny"],
        "dtype": "float32",
        "layers": 2,
        "hidden_size": 64,
        "attention_heads": 4,
        "kv_heads": 2,
        "head_dim": 16,
        "intermediate_size": 96,
        "vocab_size": 80,
        "max_context_tokens": 1024,
    }
}


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """hardware.yaml with tiny-tp1 and tiny-tp2, and models.yaml."""
    folder = tmp_path_factory.mktemp("config")
    hardware, models = folder / "hardware.yaml", folder / "models.yaml"
    hardware.write_text("".join(HARDWARE.format(name=f"tiny-tp{gpus}", gpus=gpus) for gpus in (1, 2)))
    models.write_text(json.dumps(MODELS))
    return hardware, models


@pytest.fixture(scope="session")
def tiny(files):
    """The architecture."""
    return load_models(files[1])["tiny"]
