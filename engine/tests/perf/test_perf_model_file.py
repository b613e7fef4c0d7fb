import json
from pathlib import Path

import pytest

from headrace.errors import HeadraceError
from headrace.files import sha256
from headrace.perf import PerfModel, write_model

COMMITTED = Path(__file__).parents[3] / "data" / "perf_models"


def written(tables, path, **changes):
    """A file with a right hash, whatever else is wrong with it."""
    document = {**tables, **changes}
    document["sha256"] = sha256(document)
    path.write_text(json.dumps(document))
    return path


def refused(path, match, **required):
    with pytest.raises(HeadraceError, match=match) as error:
        PerfModel.load(path, **required)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_a_file_is_read_as_it_was_written(tables, tmp_path):
    path = tmp_path / "toy.json"
    made = write_model(tables, path)
    read = PerfModel.load(path, model="llama-3.1-8b", tensor_parallel=2)
    assert read == made
    assert read.step.tokens == (4, 8, 16)
    assert read.recompute.means_s() == pytest.approx([0.011, 0.021, 0.043, 0.090])
    assert read.sha256 == sha256(tables)


def test_two_writes_are_the_same_bytes(tables, tmp_path):
    write_model(tables, tmp_path / "a.json")
    write_model(dict(reversed(tables.items())), tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()


def test_a_result_names_the_exact_model(tables, tmp_path):
    model = write_model(tables, tmp_path / "toy.json")
    described = model.describe("data/toy.json")
    assert described["file"] == "data/toy.json"
    assert described["sha256"] == model.sha256
    assert described["provider"] == "fixed" and described["provenance"] == {"how": "by hand"}


def test_an_edited_file_is_refused(tables, tmp_path):
    path = written(tables, tmp_path / "toy.json")
    path.write_text(path.read_text().replace("0.06", "0.07"))
    refused(path, "key sha256: it does not match")


def test_a_missing_file_is_refused(tmp_path):
    refused(tmp_path / "none.json", "no such file")


def test_a_file_cut_short_is_refused(tables, tmp_path):
    path = written(tables, tmp_path / "toy.json")
    path.write_text(path.read_text()[:200])
    refused(path, "not valid JSON")


@pytest.mark.parametrize("content", ["[]", "{}", '{"format": "headrace-perf-model/2"}'])
def test_another_format_is_refused(tmp_path, content):
    path = tmp_path / "toy.json"
    path.write_text(content)
    refused(path, "mapping of keys is needed|it must be 'headrace-perf-model/1'")


def test_another_model_is_refused(tables, tmp_path):
    path = written(tables, tmp_path / "toy.json")
    refused(path, "made for the model llama-3.1-8b, not for qwen-3-8b", model="qwen-3-8b")


def test_another_tensor_parallel_size_is_refused(tables, tmp_path):
    path = written(tables, tmp_path / "toy.json")
    refused(path, "made for tensor_parallel 2, not for 1", tensor_parallel=1)


@pytest.mark.parametrize(
    ("section", "key", "value", "match"),
    [
        ("step", "dense_s", [0.01, float("nan"), 0.06], "key step: key dense_s, item 2: nan is not finite"),
        ("step", "dense_s", [0.01, -0.02, 0.06], "key dense_s: -0.02 is too small; more than 0 is right"),
        ("step", "dense_s", [0.01, 0.02, 0.015], "16 tokens take 0.015 s, less than 8 tokens"),
        ("step", "dense_s", [0.01, 0.02], "2 entries for 3 token counts"),
        ("step", "tokens", [4, 16, 8], "key tokens: they do not ascend"),
        ("step", "tokens", [4, 8.5, 16], "8.5 is no whole number"),
        ("step", "attention_s_per_token_pair", -1e-10, "is too small; 0 or more is right"),
        ("step", "attention_s_per_token_pair", "4e-10", "is no number; write a number"),
        ("recompute", "latency_s", [[0.01], [], [0.04], [0.09]], "no repeat for 32 tokens"),
        ("recompute", "fit", [0.0, 1.0], "2 coefficients; three"),
        ("swap", "in_s", [[0.001], [0.0], [0.006]], "more than 0 is right"),
        ("swap", "out_s", [0.003, 0.006, 0.010], "a list is needed, not 0.003"),
    ],
)
def test_tables_that_no_measurement_gives_are_refused(tables, tmp_path, section, key, value, match):
    tables[section][key] = value
    path = tmp_path / "toy.json"
    path.write_text(json.dumps({**tables, "sha256": ""}))
    refused(path, match)


def test_nothing_is_written_of_a_bad_document(tables, tmp_path):
    tables["step"]["dense_s"][0] = -1.0
    with pytest.raises(HeadraceError):
        write_model(tables, tmp_path / "toy.json")
    assert list(tmp_path.iterdir()) == []


def test_missing_and_unknown_keys_are_named(tables, tmp_path):
    del tables["swap"]
    refused(written(tables, tmp_path / "a.json"), "key 'swap' is missing")
    refused(written(tables, tmp_path / "b.json", swaps={}), "unknown key 'swaps'; did you mean 'swap'")


def test_provider_and_provenance_are_needed(tables, tmp_path):
    refused(written(tables, tmp_path / "a.json", provider="silikon"), "did you mean 'silicon'")
    refused(written(tables, tmp_path / "b.json", provenance={}), "it does not say how the tables were made")
    path = tmp_path / "c.json"
    path.write_text(json.dumps({**tables, "provenance": {"how": "x", "y": float("nan")}, "sha256": ""}))
    refused(path, "can't be hashed")


@pytest.mark.parametrize("hardware", ["h200-tp2", "h100-tp2"])
def test_committed_silicon_models_load(hardware):
    path = COMMITTED / f"{hardware}.llama-3.1-8b.silicon.json"
    model = PerfModel.load(path, model="llama-3.1-8b", tensor_parallel=2)
    assert model.provider == "silicon" and model.hardware == hardware
    assert model.provenance["aisimulate"]
    assert model.step.r2 > 0.999 and model.recompute.r2 > 0.999 and model.swap.r2 > 0.999
    assert model.step.max_rel_error < 0.10
    assert model.kv_bytes_per_token * 16 == model.block_bytes == 2 * 2**20


def test_committed_h200_agrees_with_the_figures_read_off_the_package():
    model = PerfModel.load(COMMITTED / "h200-tp2.llama-3.1-8b.silicon.json")
    latency_ms = dict(zip(model.recompute.tokens, (1e3 * s for s in model.recompute.means_s()), strict=True))
    read_off = {16: 3.88, 128: 4.36, 512: 7.97, 1024: 14.5, 2048: 27.5, 4096: 56.2, 8192: 117.6}
    read_off |= {16384: 258.5, 32768: 623.6, 65536: 1689, 131072: 5165}
    assert {n: latency_ms[n] for n in read_off} == pytest.approx(read_off, rel=0.02)


@pytest.mark.parametrize(
    ("tokens", "context", "milliseconds"),
    [
        (512, 0, 7.97),
        (1024, 0, 14.5),
        (2048, 0, 27.5),
        (5749, 0, 80.3),
        (8192, 0, 117.6),
        (1024, 2048, 15.3),
        (1024, 8192, 17.6),
        (1024, 16384, 20.7),
        (1024, 32768, 27.9),
    ],
)
def test_the_step_model_of_h200_agrees_with_the_forward_passes(
    overheads, request_of, tokens, context, milliseconds
):
    model = PerfModel.load(COMMITTED / "h200-tp2.llama-3.1-8b.silicon.json")
    step_s = model.step_time(overheads(), 8192)
    # One rate stands for all contexts: 2.5 % here, 4 % for few tokens without context.
    tolerance = 0.03 if tokens > 512 else 0.04
    assert 1e3 * step_s([(request_of(context), tokens, 0)]) == pytest.approx(milliseconds, rel=tolerance)


def test_committed_a40_is_slower_than_what_is_faster():
    a40 = PerfModel.load(COMMITTED / "a40-tp1.llama-3.1-8b.roofline.json", tensor_parallel=1)
    h200 = PerfModel.load(COMMITTED / "h200-tp2.llama-3.1-8b.silicon.json")
    # 13 times the peak FLOP/s and 14 times the bandwidth between them.
    for ours, theirs in zip(a40.recompute.means_s(), h200.recompute.means_s(), strict=True):
        assert 4 < ours / theirs < 20
    assert 10 < a40.step.decode_s_per_context_token / h200.step.decode_s_per_context_token < 20


def test_swaps_per_block_are_kept_and_change_no_time(tables, tmp_path, overheads):
    slow = {**tables["swap"], "in_s": [[0.1], [0.2], [0.6]]}
    without = write_model(tables, tmp_path / "a.json")
    with_key = write_model({**tables, "swap_per_block": slow}, tmp_path / "b.json")
    assert without.swap_per_block is None
    assert PerfModel.load(tmp_path / "b.json").swap_per_block.in_s == ((0.1,), (0.2,), (0.6,))
    assert with_key.swap_time(overheads(), 16)(2) == without.swap_time(overheads(), 16)(2)
    assert with_key.costs(overheads(), 2048, 16) == without.costs(overheads(), 2048, 16)


def test_swaps_per_block_are_checked_like_swaps(tables, tmp_path):
    path = written(tables, tmp_path / "toy.json", swap_per_block={**tables["swap"], "in_s": [[0.1], [0.2]]})
    refused(path, "key swap_per_block: key in_s: 2 entries for 3 token counts")
