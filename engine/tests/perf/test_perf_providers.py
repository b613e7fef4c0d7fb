import sys
from pathlib import Path

import pytest

from headrace.errors import HeadraceError
from headrace.perf import PerfModel, build, load_hardware, load_models
from headrace.perf import silicon as silicon_provider

ROOT = Path(__file__).parents[3]
HARDWARE, MODELS = ROOT / "config" / "hardware.yaml", ROOT / "config" / "models.yaml"
A40 = ROOT / "data" / "perf_models" / "a40-tp1.llama-3.1-8b.roofline.json"


def test_the_committed_roofline_is_what_the_config_builds(tmp_path):
    out = tmp_path / "a40.json"
    build("roofline", "a40-tp1", HARDWARE, MODELS, out)
    assert out.read_bytes() == A40.read_bytes()


def test_a_date_is_written_only_when_given(tmp_path):
    dated = build("roofline", "a40-tp1", HARDWARE, MODELS, tmp_path / "a40.json", date="2026-11-02")
    assert dated.provenance["date"] == "2026-11-02"
    assert "date" not in PerfModel.load(A40).provenance


def test_the_roofline_by_hand():
    model = PerfModel.load(A40)
    dense = dict(zip(model.step.tokens, model.step.dense_s, strict=True))
    # Layers: 6,979,584,000 parameters; output projection: 525,336,576; 2 bytes each at 0.8 x 696 GB/s.
    head_s = 2 * 525_336_576 / (0.8 * 696e9)
    assert dense[1] == pytest.approx(2 * 6_979_584_000 / (0.8 * 696e9) + head_s)
    # 2 FLOP per parameter and token at 0.66 x 149.7 TFLOP/s.
    assert dense[8192] == pytest.approx(8192 * 2 * 6_979_584_000 / (0.66 * 149.7e12) + head_s)
    # 32 layers x 32 heads x 128 x 4 FLOP per pair at 0.54 x 149.7 TFLOP/s; 131,072 B per decoded token.
    assert model.step.attention_s_per_token_pair == pytest.approx(524_288 / (0.54 * 149.7e12))
    assert model.step.decode_s_per_context_token == pytest.approx(131_072 / (0.8 * 696e9))
    assert model.swap.in_s[0][0] == pytest.approx(16 * 131_072 / 32e9)


def test_a_roofline_of_several_gpus_is_refused(tmp_path):
    text = HARDWARE.read_text().replace(
        "gpu: NVIDIA A40\n  tensor_parallel: 1", "gpu: A\n  tensor_parallel: 2"
    )
    hardware = tmp_path / "hardware.yaml"
    hardware.write_text(text)
    with pytest.raises(HeadraceError, match="the roofline has no all-reduce, so 2 GPUs"):
        build("roofline", "a40-tp1", hardware, MODELS, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()


@pytest.mark.parametrize(
    ("provider", "hardware", "match"),
    [
        ("silikon", "h200-tp2", "did you mean 'silicon'"),
        ("fixed", "h200-tp2", "provider 'fixed': nothing builds it"),
        ("roofline", "h20-tp2", "no entry 'h20-tp2'; did you mean 'h200-tp2'"),
        ("roofline", "h200-tp2", "h200-tp2: the key roofline is missing"),
        ("published", "h200-tp2", "h200-tp2: the key published is missing"),
        ("silicon", "a40-tp1", "a40-tp1: the key silicon is missing"),
    ],
)
def test_what_can_not_be_built_is_told(tmp_path, provider, hardware, match):
    with pytest.raises(HeadraceError, match=match):
        build(provider, hardware, HARDWARE, MODELS, tmp_path / "out.json")


def test_without_the_package_silicon_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "aisimulate", None)
    with pytest.raises(HeadraceError, match=r"aisimulate can't be imported .* headrace\[silicon\]"):
        build("silicon", "h200-tp2", HARDWARE, MODELS, tmp_path / "out.json")


def test_silicon_splits_what_the_package_measures(tmp_path, monkeypatch):
    asked = []

    def open_tables(source, model, tensor_parallel, place):
        asked.append((source.system, source.backend_version, model.aisimulate_name, tensor_parallel))

        def forward(requests, new_tokens, context_tokens):
            dense_s = 0.003 + 1.2e-5 * requests * new_tokens
            if new_tokens == 1:
                return dense_s + 1.5e-8 * requests * context_tokens
            return dense_s + 4e-10 * requests * new_tokens * (context_tokens + new_tokens / 2)

        return forward

    monkeypatch.setattr(silicon_provider, "open_tables", open_tables)
    monkeypatch.setattr(silicon_provider, "version", lambda name: "1.2.3")
    model = build("silicon", "h200-tp2", HARDWARE, MODELS, tmp_path / "out.json")
    assert asked == [("h200_sxm", "0.24.0", "meta-llama/Meta-Llama-3.1-8B", 2)]
    assert model.provenance["aisimulate"] == "1.2.3"
    assert model.step.attention_s_per_token_pair == pytest.approx(4e-10, rel=1e-6)
    assert model.step.decode_s_per_context_token == pytest.approx(1.5e-8, rel=1e-6)
    assert model.recompute.fit == pytest.approx((0.003, 1.2e-5, 2e-10), rel=1e-5)
    assert model.provenance["step_fit"]["off_grid"]["max_rel_error"] < 1e-6
    # Half of 131,072 B per token and GPU, 64 GB/s.
    assert model.swap.in_s[0][0] == pytest.approx(16 * 65536 / 64e9)


def test_the_committed_models_are_those_of_the_config():
    models = load_models(MODELS)
    for name, hardware in load_hardware(HARDWARE).items():
        model = PerfModel.load(
            ROOT / hardware.perf_model.file, hardware.perf_model.model, hardware.tensor_parallel
        )
        assert (model.hardware, model.gpu) == (name, hardware.gpu)
        assert model.provider == hardware.perf_model.provider
        assert model.kv_bytes_per_token == models[model.model].kv_bytes_per_token
        assert model.provenance["pcie_bytes_per_s"] == hardware.pcie_bytes_per_s
