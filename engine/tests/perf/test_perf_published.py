import json
import re
from pathlib import Path

import pytest

from headrace.errors import HeadraceError
from headrace.perf import PerfModel, build

MODELS = Path(__file__).parents[3] / "config" / "models.yaml"
TOKENS = [2**power for power in range(4, 18)]
METADATA = {
    "model_name": "meta-llama/Llama-3.1-8B-Instruct",
    "gpu_memory_utilization": 0.8,
    "tensor_parallel_size": 2,
    "max_num_batched_tokens": 2048,
}


def recompute_ms(n):
    return 20.0 + 0.013 * n + 2e-7 * n * n


def repeats(milliseconds):
    """Seven, the first two slow: warm-up; the others average to the value given."""
    return [9 * milliseconds, 3 * milliseconds] + [
        milliseconds * (1 + e) for e in (-0.02, -0.01, 0, 0.01, 0.02)
    ]


@pytest.fixture
def study(tmp_path):
    """The two files in the published shape and a config that names them; `study()` builds from them."""
    recompute = {
        "recomputation_latencies": {str(n): repeats(recompute_ms(n)) for n in reversed(TOKENS)},
        "metadata": dict(METADATA),
    }
    swap = {
        "swap_in_latency": {str(n): repeats(0.011 * n) for n in TOKENS},
        "swap_out_latency": {str(n): repeats(0.013 * n) for n in TOKENS},
        "metadata": dict(METADATA),
    }

    class Study:
        out = tmp_path / "out.json"

        def __init__(self):
            self.recompute, self.swap = recompute, swap

        def __call__(self):
            (tmp_path / "recompute.json").write_text(json.dumps(self.recompute))
            (tmp_path / "swap.json").write_text(json.dumps(self.swap))
            return self.build()

        def build(self, **options):
            hardware = tmp_path / "hardware.yaml"
            hardware.write_text(HARDWARE.format(folder=tmp_path))
            return build("published", "toy-tp2", hardware, MODELS, self.out, **options)

    return Study()


HARDWARE = """
toy-tp2:
  gpu: Toy
  tensor_parallel: 2
  gpu_memory_bytes: 1000
  memory_bytes_per_s: 4.0e+12
  flop_per_s: 1.0e+15
  pcie_bytes_per_s: 6.4e+10
  perf_model: {{provider: published, model: llama-3.1-8b, file: toy.json}}
  published: {{recompute_file: {folder}/recompute.json, swap_file: {folder}/swap.json}}
  kv_blocks: 10
  host_blocks: 20
  calibrated: false
  overheads:
    {{dense_scale: 1, attention_scale: 1, step_s: 0, request_s: 0, live_s: 0, reply_s: 0, handover_s: 0,
    handover_token_s: 0, tokenise_token_s: 0, swap_block_s: 0}}
"""


def test_the_published_files_become_a_model(study):
    model = study()
    assert model == PerfModel.load(study.out, model="llama-3.1-8b", tensor_parallel=2)
    assert model.recompute.tokens == tuple(TOKENS)
    assert [len(row) for row in model.recompute.latency_s] == [5] * len(TOKENS)
    assert model.recompute.fit == pytest.approx((0.020, 1.3e-5, 2e-10), rel=1e-6)
    assert model.swap.fit == pytest.approx((0.0, 2.4e-5, 0.0), abs=1e-8)
    assert model.recompute.r2 == pytest.approx(1.0) and model.provenance["warm_up_repeats_dropped"] == 2
    assert model.provenance["recompute"]["metadata"] == METADATA


def test_the_step_follows_from_the_fit(study, overheads, request_of):
    step_s = study().step_time(overheads(), 131072)
    # 0.020 + 1.3e-5 n + 4e-10 n (context + n / 2)
    assert step_s([(request_of(0), 8192, 0)]) == pytest.approx(recompute_ms(8192) / 1e3, rel=1e-6)
    assert step_s([(request_of(10000), 1024, 0)]) == pytest.approx(
        0.020 + 0.013312 + 4e-10 * 1024 * 10512, rel=1e-6
    )
    # No step is shorter than the shortest pass; a decode reads 65,536 B per token and GPU at 4 TB/s.
    assert step_s([(request_of(5000), 1, 0)]) == pytest.approx(
        recompute_ms(16) / 1e3 + 5000 * 65536 / 4e12, rel=1e-6
    )


def test_latencies_that_bend_downwards_have_no_attention(study):
    study.recompute["recomputation_latencies"] = {
        str(n): repeats(20 + 0.013 * n - 1e-8 * n * n) for n in TOKENS
    }
    model = study()
    assert model.step.attention_s_per_token_pair == 0.0
    assert model.step.r2 > 0.99


def test_a_poor_fit_warns(study):
    noise = [50.0, 1.0, 70.0, 2.0, 60.0, 3.0, 55.0]
    study.swap["swap_in_latency"] = {str(n): repeats(noise[i % 7]) for i, n in enumerate(TOKENS)}
    study.swap["swap_out_latency"] = study.swap["swap_in_latency"]
    with pytest.warns(UserWarning, match="swap fit: R2"):
        study()


def refused(study, match):
    with pytest.raises(HeadraceError, match=match) as error:
        study()
    assert "\n" not in str(error.value) and not study.out.exists()


def test_other_models_and_sizes_are_refused(study):
    study.recompute["metadata"]["model_name"] = "Qwen/Qwen3-8B"
    refused(study, re.escape("measured with the model 'Qwen/Qwen3-8B', not 'meta-llama/Llama-3.1-8B'"))
    study.recompute["metadata"] = {**METADATA, "tensor_parallel_size": 1}
    refused(study, "recompute.json: key metadata: measured with tensor parallelism 1, not 2")


def test_metadata_is_needed(study):
    del study.swap["metadata"]["tensor_parallel_size"]
    refused(study, "swap.json: key metadata: key 'tensor_parallel_size' is missing")
    del study.swap["metadata"]
    refused(study, "swap.json: key 'metadata' is missing")


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("64", [1.0] * 4 + [float("nan")], "key recomputation_latencies, 64 tokens: nan is no time"),
        ("64", [1.0] * 4 + [-3.0], "-3.0 is no time; milliseconds above 0"),
        ("64", [1.0] * 4 + ["3"], "'3' is no time"),
        ("64", [1.0, 1.0], "too few repeats; a list of more than 2"),
        ("64", 3.0, "too few repeats"),
        ("6.4", [1.0] * 7, "'6.4' is no token count"),
    ],
)
def test_latencies_that_no_clock_gives_are_refused(study, key, value, match):
    study.recompute["recomputation_latencies"][key] = value
    refused(study, match)


def test_swaps_of_other_counts_are_refused(study):
    del study.swap["swap_out_latency"]["64"]
    refused(study, "in and out have other token counts")


def test_a_missing_table_and_a_file_cut_short_are_refused(study, tmp_path):
    del study.swap["swap_in_latency"]
    refused(study, "swap.json: key 'swap_in_latency' is missing or no mapping")
    (tmp_path / "swap.json").write_text('{"swap_in_latency": {"16": [1.0')
    with pytest.raises(HeadraceError, match=r"swap.json: line 1: not valid JSON"):
        study.build()
    (tmp_path / "recompute.json").unlink()
    with pytest.raises(HeadraceError, match=r"recompute.json: no such file"):
        study.build()


def test_files_may_be_named_beside_the_config(study, tmp_path):
    named = study().recompute
    files = {"recompute_file": str(tmp_path / "moved.json"), "swap_file": str(tmp_path / "swap.json")}
    (tmp_path / "recompute.json").rename(files["recompute_file"])
    assert study.build(published=files).recompute == named
    with pytest.raises(HeadraceError, match="key published: key 'swap_file' is missing"):
        study.build(published={"recompute_file": files["recompute_file"]})
