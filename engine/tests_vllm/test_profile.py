"""A profile of vLLM from the command to the file: the CPU build, a tiny model of random weights.

What is asserted holds on a busy machine, too: that the file predicts what it was made of as well as it says.
"""

from statistics import median
from types import SimpleNamespace

import pytest

from headrace.perf import Overheads, PerfModel
from headrace.vllm.profile import measure as profile

pytestmark = pytest.mark.filterwarnings("ignore:.*R2 .* is below 0.9")

HARDWARE = """
cpu:
  gpu: cpu
  tensor_parallel: 1
  gpu_memory_bytes: 1073741824
  memory_bytes_per_s: 1.0e+10
  flop_per_s: 2.0e+11
  pcie_bytes_per_s: 9.0e+9
  perf_model: {provider: vllm, model: tiny, file: none.json}
  kv_blocks: 200
  host_blocks: 200
  calibrated: false
  overheads:
    {dense_scale: 1, attention_scale: 1, step_s: 0, request_s: 0, live_s: 0, reply_s: 0, handover_s: 0,
    handover_token_s: 0, tokenise_token_s: 0, swap_block_s: 0}
"""
MODELS = """
tiny:
  {hub_names: [tiny], dtype: float32, layers: 2, hidden_size: 128, attention_heads: 4, kv_heads: 2,
  head_dim: 32, intermediate_size: 256, vocab_size: 1024, max_context_tokens: 4096}
"""
BUDGET, SLOTS, BLOCK_SIZE = 256, 8, 32


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The file."""
    folder = tmp_path_factory.mktemp("profile")
    (folder / "hardware.yaml").write_text(HARDWARE)
    (folder / "models.yaml").write_text(MODELS)
    out = folder / "cpu.tiny.vllm.json"
    profile.run(
        None,
        out=out,
        hardware="cpu",
        hardware_file=folder / "hardware.yaml",
        models_file=folder / "models.yaml",
        token_budget=BUDGET,
        slots=SLOTS,
        block_size=BLOCK_SIZE,
        kv_blocks=200,
        max_model_len=1024,
        extra_args={"enforce_eager": True},
        date="2026-01-01",
    )
    return out


@pytest.fixture
def model(made):
    return PerfModel.load(made, model="tiny", tensor_parallel=1)


def test_the_file_is_a_performance_model(model):
    assert model.provider == "vllm" and model.gpu == "none: measured on a CPU"
    assert model.step.tokens[0] == 1 and model.step.tokens[-1] == BUDGET
    assert model.recompute.tokens == (16, 32, 64, 128, 256, 512)
    assert model.swap.tokens == (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
    assert {
        len(repeats) for repeats in (*model.recompute.latency_s, *model.swap.in_s, *model.swap.out_s)
    } == {5}


def test_the_file_says_how_it_was_made(model):
    said = model.provenance
    assert (
        said["how"].startswith("on a CPU, which says nothing about any GPU") and said["date"] == "2026-01-01"
    )
    assert "0.32" in said["vllm"] and said["engine"]["enforce_eager"] is True
    assert said["room"]["token_budget"] == BUDGET and said["room"]["blocks"] == 199
    assert [16384, 256] in said["left_out"]["decode"]


def test_contexts_and_requests_are_those_asked_for(model):
    passes = {tuple(row[:3]) for row in model.provenance["step_passes"]}
    assert {(1, 16, 0), (1, 256, 0), (1, 64, 128), (1, 256, 128)} <= passes
    decodes = {(n, new) for n, new, context in passes if 128 <= context < 192 and new == 1}
    assert {(8, 1), (4, 1), (2, 1), (1, 1)} == decodes
    assert all(s > 0 for *_, s in model.provenance["step_passes"])
    assert [row[:2] for row in model.provenance["mixed_steps"]] == [[128, 4]]


def test_it_predicts_what_it_was_made_of(model):
    """Through the step times that a simulator takes, with the software's own times at 0."""
    names = Overheads.__dataclass_fields__
    none = Overheads(**{name: float(name.endswith("scale")) for name in names})
    step_s = model.step_time(none, BUDGET)
    errors = []
    for requests, new, context, seconds in model.provenance["step_passes"]:
        runs = [(SimpleNamespace(computed=context), new, 0)] * requests
        errors.append(abs(step_s(runs) / seconds - 1))
    assert median(errors) == pytest.approx(model.provenance["step_median_rel_error"], rel=1e-4, abs=1e-6)
    assert max(errors) == pytest.approx(model.step.max_rel_error, rel=1e-4, abs=1e-6)
    for n, seconds in zip(model.swap.tokens, model.swap.both_ways_s(), strict=True):
        assert model.swap_time(none, BLOCK_SIZE)(-(-n // BLOCK_SIZE)) > 0
        if n % BLOCK_SIZE == 0:
            assert 2 * model.swap_time(none, BLOCK_SIZE)(n // BLOCK_SIZE) == pytest.approx(seconds)


def test_nothing_is_left_beside_it(made):
    assert sorted(file.name for file in made.parent.iterdir()) == [
        "cpu.tiny.vllm.json",
        "hardware.yaml",
        "models.yaml",
    ]
