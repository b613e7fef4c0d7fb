"""Weights for an engine: found in a folder, checked, noted; nothing is downloaded here."""

import dataclasses
import json
import struct

import pytest

from headrace.errors import HeadraceError
from headrace.files import read_json
from headrace.perf.architecture import Model
from headrace.vllm.cells.weights import Weights, check_files, config_of, prepare, read_weights

MODEL = Model(
    hub_names=("some/model",),
    dtype="float32",
    layers=2,
    hidden_size=64,
    attention_heads=4,
    kv_heads=2,
    head_dim=16,
    intermediate_size=128,
    vocab_size=512,
    max_context_tokens=4096,
)


def safetensors(file, sizes, cut=0):
    """A file with tensors of so many bytes each, without its last `cut` bytes."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, size in sizes.items():
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    whole = struct.pack("<Q", len(text)) + text + bytes(at)
    file.write_bytes(whole[: len(whole) - cut])


@pytest.fixture
def folder(tmp_path):
    """Weights in two files, as large models have them."""
    found = tmp_path / "weights"
    found.mkdir()
    config = config_of(MODEL) | {"bos_token_id": 1, "eos_token_id": [2, 5]}
    (found / "config.json").write_text(json.dumps(config))
    for number in (1, 2):
        safetensors(found / f"model-{number}.safetensors", {f"w{number}": 100 * number})
    index = {"weight_map": {"w1": "model-1.safetensors", "w2": "model-2.safetensors"}}
    (found / "model.safetensors.index.json").write_text(json.dumps(index))
    return found


def test_a_folder_is_checked_and_noted(folder, tmp_path):
    out = tmp_path / "noted.json"
    weights = prepare(MODEL, str(folder), "ignored", "auto", tmp_path / "own", out)
    assert weights == read_weights(out)
    assert (weights.folder, weights.source, weights.revision) == (str(folder), str(folder), None)
    assert (weights.vocab_size, weights.special_tokens) == (512, (1, 2, 5))
    assert weights.vocabulary == range(6, 512)
    assert not (tmp_path / "own").exists()


def test_dummies_without_a_source_need_nothing_from_elsewhere(tmp_path):
    out = tmp_path / "noted.json"
    weights = prepare(MODEL, None, None, "dummy", tmp_path / "own", out)
    config = read_json(tmp_path / "own/config.json")
    assert config["num_hidden_layers"] == 2
    assert config["head_dim"] == 16
    assert weights.vocabulary == range(512)
    assert read_weights(out).load_format == "dummy"


def test_dummies_of_a_folder_take_its_config_and_no_weights(folder, tmp_path):
    for file in folder.glob("*.safetensors"):
        file.unlink()
    assert prepare(MODEL, str(folder), None, "dummy", tmp_path, tmp_path / "noted.json").vocab_size == 512


def test_one_file_of_weights_is_enough(tmp_path):
    safetensors(tmp_path / "model.safetensors", {"w": 10})
    check_files(tmp_path)


@pytest.mark.parametrize(("cut", "problem"), [(1, "its header says"), (250, "no whole safetensors")])
def test_a_download_that_was_cut_short_is_noticed(folder, tmp_path, cut, problem):
    safetensors(folder / "model-2.safetensors", {"w2": 200}, cut)
    with pytest.raises(HeadraceError, match=rf"model-2.*{problem}.*again"):
        prepare(MODEL, str(folder), None, "auto", tmp_path, tmp_path / "noted.json")
    assert not (tmp_path / "noted.json").exists()


def test_a_missing_file_is_named(folder, tmp_path):
    (folder / "model-1.safetensors").unlink()
    with pytest.raises(HeadraceError, match=r"model-1\.safetensors: no such file of weights"):
        prepare(MODEL, str(folder), None, "auto", tmp_path, tmp_path / "noted.json")


def test_weights_of_another_architecture_are_refused(folder, tmp_path):
    other = dataclasses.replace(MODEL, kv_heads=4)
    with pytest.raises(HeadraceError, match="num_key_value_heads: is 2, the study's model has 4"):
        prepare(other, str(folder), None, "auto", tmp_path, tmp_path / "noted.json")


@pytest.mark.parametrize("index", ["{}", '{"weight_map": {}}', "[]"])
def test_an_index_without_files_is_refused(folder, tmp_path, index):
    (folder / "model.safetensors.index.json").write_text(index)
    with pytest.raises(HeadraceError, match="has no weight_map"):
        prepare(MODEL, str(folder), None, "auto", tmp_path, tmp_path / "noted.json")


def test_a_name_on_the_hub_that_can_not_be_had_is_told(tmp_path, monkeypatch):
    asked = []

    def refuse(name, **options):
        asked.append((name, options["revision"], options["allow_patterns"]))
        raise OSError("no way there\nand more")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(HeadraceError, match=r"weights some/model: can't be downloaded \(no way there\)"):
        prepare(MODEL, None, "abc", "auto", tmp_path, tmp_path / "noted.json")
    assert asked == [("some/model", "abc", ["*.json", "*.safetensors"])]


def test_a_download_is_noted_with_its_commit(folder, tmp_path, monkeypatch):
    at = folder.rename(tmp_path / "0123abc")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda name, **options: str(at))
    weights = prepare(MODEL, "other/name", None, "auto", tmp_path, tmp_path / "noted.json")
    assert (weights.source, weights.revision, weights.folder) == ("other/name", "0123abc", str(at))


def test_weights_that_went_away_or_changed_are_noticed(folder, tmp_path):
    out = tmp_path / "noted.json"
    prepare(MODEL, str(folder), None, "auto", tmp_path, out)
    (folder / "config.json").write_text("{}")
    with pytest.raises(HeadraceError, match=r"has changed since.*forcerun prefetch_weights"):
        read_weights(out)
    (folder / "config.json").unlink()
    with pytest.raises(HeadraceError, match=r"not there any more.*forcerun prefetch_weights"):
        read_weights(out)


def test_prompts_avoid_special_tokens_where_most_ids_are():
    weights = Weights("f", "s", None, "auto", "0", 128256, (128000, 128009))
    assert weights.vocabulary == range(128000)
