from pathlib import Path

import pytest

from headrace.errors import HeadraceError
from headrace.perf import Overheads, load_hardware, load_models

ROOT = Path(__file__).parents[3]
HARDWARE, MODELS = ROOT / "config" / "hardware.yaml", ROOT / "config" / "models.yaml"
OVERHEADS = {
    "dense_scale": 1.1,
    "attention_scale": 1.9,
    "step_s": 0.012,
    "request_s": 0.0002,
    "live_s": 4e-6,
    "reply_s": 0.008,
    "handover_s": 0.001,
    "handover_token_s": 2e-7,
    "tokenise_token_s": 0,
    "swap_block_s": 1.92e-4,
}


def test_the_architecture_gives_the_model_its_size():
    model = load_models(MODELS)["llama-3.1-8b"]
    assert model.weight_bytes == 2 * 8_030_261_248
    assert model.kv_bytes_per_token == 131_072
    assert model.attention_flop_per_token_pair == 524_288


def test_starting_values_of_the_pool_follow_from_the_memory():
    weights = load_models(MODELS)["llama-3.1-8b"].weight_bytes
    for name, hardware in load_hardware(HARDWARE).items():
        if hardware.calibrated:
            continue
        gpus = hardware.tensor_parallel
        pool = 0.8 * gpus * hardware.gpu_memory_bytes - weights - gpus * 3072 * 2**20
        assert hardware.kv_blocks == int(pool // 2**21), name
        assert hardware.host_blocks == 2 * hardware.kv_blocks


def test_overheads_are_read():
    overheads = Overheads.from_dict(OVERHEADS)
    assert overheads.swap_block_s == 1.92e-4
    assert overheads.tokenise_token_s == 0.0 and isinstance(overheads.tokenise_token_s, float)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"step": 0.012}, r"overheads: unknown key 'step'; did you mean 'step_s'"),
        ({"step_s": -1}, "key step_s: -1.0 is too small; 0 or more is right"),
        ({"step_s": float("inf")}, "key step_s: inf is not finite"),
        ({"step_s": True}, "key step_s: True is no number"),
        ({"step_s": "12e-3"}, "key step_s: '12e-3' is no number; write a number .YAML takes"),
    ],
)
def test_bad_overheads_are_refused(change, match):
    with pytest.raises(HeadraceError, match=match):
        Overheads.from_dict({**OVERHEADS, **change})


def test_a_missing_overhead_is_refused():
    with pytest.raises(
        HeadraceError, match="key 'swap_block_s' is missing; keys: dense_scale, attention_scale"
    ):
        Overheads.from_dict({key: value for key, value in OVERHEADS.items() if key != "swap_block_s"})


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("kv_blocks:", "kv_block:", "h200-tp2: unknown key 'kv_block'; did you mean 'kv_blocks'"),
        ("tensor_parallel: 2", "tensor_parallel: two", "h200-tp2: key tensor_parallel: 'two' is no whole"),
        ("tensor_parallel: 2", "tensor_parallel: 0", "key tensor_parallel: 0 is too small"),
        ("calibrated: false", "calibrated: 0", "key calibrated: 0 is no true or false"),
        ("4.8e+12", "4.8e12", "key memory_bytes_per_s: '4.8e12' is no number"),
        (
            "provider: silicon",
            "provider: silicone",
            "key provider: unknown 'silicone'; did you mean 'silicon'",
        ),
        ("    step_s: ", "    step_s: [1] # ", "h200-tp2: key overheads: key step_s"),
        (
            "dense_efficiency: 0.66",
            "dense_efficiency: 66",
            "a40-tp1: key roofline, key dense_efficiency: above 1",
        ),
        ("h200-tp2:", "2:", "2: the name is no text"),
        ("h200-tp2:", "h200-tp2: {", "line .*: not valid YAML"),
    ],
)
def test_a_bad_hardware_file_is_refused(tmp_path, old, new, match):
    text = HARDWARE.read_text()
    assert old in text
    path = tmp_path / "hardware.yaml"
    path.write_text(text.replace(old, new))
    with pytest.raises(HeadraceError, match=match) as error:
        load_hardware(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_missing_and_empty_files_are_refused(tmp_path):
    with pytest.raises(HeadraceError, match="no such file"):
        load_hardware(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("")
    with pytest.raises(HeadraceError, match="a mapping of names is needed"):
        load_models(tmp_path / "empty.yaml")
    (tmp_path / "flat.yaml").write_text("llama-3.1-8b: 8")
    with pytest.raises(HeadraceError, match="a mapping of keys is needed, not 8"):
        load_models(tmp_path / "flat.yaml")


@pytest.mark.parametrize(
    ("old", "new", "match"),
    [
        ("dtype: bfloat16", "dtype: bfloat", "unknown 'bfloat'; did you mean 'bfloat16'"),
        ("layers: 32", "layer: 32", "unknown key 'layer'; did you mean 'layers'"),
        ("kv_heads: 8 ", "kv_heads: 8.0 ", "8.0 is no whole number"),
    ],
)
def test_a_bad_model_file_is_refused(tmp_path, old, new, match):
    path = tmp_path / "models.yaml"
    path.write_text(MODELS.read_text().replace(old, new))
    with pytest.raises(HeadraceError, match=match):
        load_models(path)
