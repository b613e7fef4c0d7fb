"""What a profile of vLLM plans, keeps and concludes: everything that needs no engine."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from headrace.errors import HeadraceError
from headrace.perf import load_models, write_model
from headrace.perf.documents import document
from headrace.perf.hardware import load_hardware
from headrace.perf.overheads import Overheads
from headrace.vllm.cells import settings
from headrace.vllm.profile import measure as profile
from headrace.vllm.profile.grid import AHEAD, MIXED_CONTEXT, Room, make_grid
from headrace.vllm.profile.measure import Kept
from headrace.vllm.profile.sections import sections

ROOT = Path(__file__).parents[3]
HARDWARE, MODELS = ROOT / "config/hardware.yaml", ROOT / "config/models.yaml"
LLAMA = load_models(MODELS)["llama-3.1-8b"]
LARGE = Room(8192, 256, 101599, 8192, 16, 131072)
SMALL = Room(512, 16, 399, 256, 32, 2048)
DENSE, PAIR, DECODE = (0.004, 12e-6), 4e-10, 1.5e-8


def seconds(requests, new, context):
    """An engine that is just as the model has it: dense work linear in tokens."""
    tokens = requests * new
    dense = DENSE[0] + DENSE[1] * tokens
    return dense + (PAIR * tokens * (context + new / 2) if new > 1 else DECODE * requests * context)


def measured(grid):
    """What such an engine would give."""
    steps = [(1, n, context) for context, new in grid.prefills.items() for n in new]
    steps += [(n, 1, context) for context, requests in grid.decodes.items() for n in requests]
    mixed = [
        (n, d, MIXED_CONTEXT, [seconds(1, n, 0) + DENSE[1] * d + DECODE * d * MIXED_CONTEXT] * 3)
        for n, d in grid.mixed
    ]
    return {
        "recompute": [[n, [seconds(1, n, 0) * (1 + i / 100) for i in range(5)]] for n in grid.recompute],
        "step": [[*shape, [seconds(*shape) * share for share in (1, 1, 9)]] for shape in steps],
        "mixed": mixed,
        "swap": [[n, [n * 1e-6] * 5, [n * 2e-6] * 5] for n in grid.swap],
    }


@pytest.mark.parametrize("room", (LARGE, SMALL))
def test_nothing_is_planned_that_the_engine_has_no_room_for(room):
    grid = make_grid(room, "place")
    tokens = room.blocks * room.block_size
    for context, new in grid.prefills.items():
        assert context % room.block_size == 0
        assert max(new) <= room.token_budget and context + max(new) < min(room.max_model_len, tokens)
    for context, requests in grid.decodes.items():
        assert requests[0] <= min(room.slots, room.token_budget)
        assert requests[0] * (context + AHEAD) < tokens and context + AHEAD < room.max_model_len
        assert all(a > b for a, b in pairwise(requests)) and requests[-1] == 1
    for n, d in grid.mixed:
        assert n + d <= room.token_budget and d < room.slots
    assert max(grid.recompute) < min(room.max_model_len, tokens)
    assert max(grid.swap) <= min(room.blocks, room.host_blocks) * room.block_size


def test_the_whole_grid_fits_a_large_engine_but_for_the_longest_decodes():
    grid = make_grid(LARGE, "place")
    assert grid.left_out["mixed"] == [] and grid.left_out["swap"] == []
    assert grid.left_out["recompute"] == [131072]  # the model's context holds no further token
    assert [256, 1, 65536] not in grid.decodes.items() and grid.decodes[65536][0] == 16
    assert max(grid.prefills[0]) == 8192 and grid.prefills[98304][-1] == 8192
    planned = len(grid.recompute) + len(grid.mixed) + 2 * len(grid.swap)
    planned += sum(map(len, [*grid.prefills.values(), *grid.decodes.values()]))
    assert grid.measurements == planned


@pytest.mark.parametrize("key", ("blocks", "host_blocks", "max_model_len"))
def test_an_engine_that_is_too_small_is_refused(key):
    with pytest.raises(HeadraceError, match=r"place: an engine of .* is too small to be profiled"):
        make_grid(replace(SMALL, **{key: 1}), "place")


@pytest.mark.parametrize("room", (LARGE, SMALL))
def test_the_file_has_what_the_engine_has(room, tmp_path):
    grid = make_grid(room, "place")
    built = sections(measured(grid), grid.left_out, {"device": "cuda", "devices": ["GPU"]})
    machine = load_hardware(HARDWARE)["h200-tp2"]
    sealed = document("vllm", "h200-tp2", machine, "llama-3.1-8b", LLAMA, built, "2026-01-01", "place")
    model = write_model(sealed, tmp_path / "model.json")
    assert model.provider == "vllm" and model.step.tokens[-1] == room.token_budget
    assert model.step.attention_s_per_token_pair == pytest.approx(PAIR, rel=1e-6)
    assert model.step.decode_s_per_context_token == pytest.approx(DECODE, rel=1e-6)
    assert model.provenance["mixed_rel_error"]["max"] < 1e-6 and model.step.max_rel_error < 1e-6
    assert model.recompute.latency_s[0][4] == pytest.approx(seconds(1, 16, 0) * 1.04)
    assert model.swap.in_s[0][0] == pytest.approx(2 * model.swap.out_s[0][0])
    none = Overheads(
        **dict.fromkeys(("dense_scale", "attention_scale"), 1.0),
        **dict.fromkeys(("step_s", "request_s", "live_s", "reply_s", "handover_s", "handover_token_s"), 0.0),
        **dict.fromkeys(("tokenise_token_s", "swap_block_s"), 0.0),
    )
    step_s = model.step_time(none, room.token_budget)
    run = [(type("Request", (), {"computed": 64}), 128, 0)]
    assert step_s(run) == pytest.approx(seconds(1, 128, 64), rel=1e-6)


def test_a_profile_of_a_cpu_says_so():
    grid = make_grid(SMALL, "place")
    built = sections(measured(grid), grid.left_out, {"device": "cpu", "devices": ["cpu"]})
    assert built["provenance"]["how"].startswith("on a CPU, which says nothing about any GPU")


def test_what_was_measured_is_not_measured_again(tmp_path):
    file, asked = tmp_path / "model.json.partial", []

    def measure(value):
        asked.append(value)
        return [value]

    first = Kept(file, "this engine")
    assert first("a", lambda: measure(1)) == [1]
    again = Kept(file, "this engine")
    assert again("a", lambda: measure(2)) == [1] and again("b", lambda: measure(3)) == [3]
    other = Kept(file, "another engine")
    assert other("a", lambda: measure(4)) == [4]
    assert asked == [1, 3, 4]
    other.forget()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", ("{", "[]", "{}", '{"identity": "another", "measured": {"a": [9]}}'))
def test_a_damaged_file_is_begun_anew(tmp_path, content):
    file = tmp_path / "model.json.partial"
    file.write_text(content)
    assert Kept(file, "this engine")("a", lambda: [1]) == [1]
    assert json.loads(file.read_text())["measured"] == {"a": [1]}


def test_the_host_pool_is_as_large_as_the_longest_swap_or_the_memory():
    assert profile.host_blocks(LLAMA, 16, 10**12) == 131072 // 16
    block_bytes = 16 * LLAMA.kv_bytes_per_token
    assert profile.host_blocks(LLAMA, 16, 100 * block_bytes) == 70


@pytest.mark.parametrize(
    ("keys", "message"),
    (
        ({"hardware": "h200-tp1"}, "no entry 'h200-tp1'; did you mean 'h200-tp2'"),
        ({"model": "llama"}, "no entry 'llama'"),
        ({"extra_args": {"block_size": 16}}, "extra_args: key extra_args, key block_size"),
        ({"out": "file/model.json"}, "can't be written"),
        ({}, "has no vLLM, 0.32 is needed"),
    ),
)
def test_what_cannot_be_profiled_is_refused_in_one_line(keys, message, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "DISTRIBUTIONS", ())
    (tmp_path / "file").write_text("a file where a folder is needed")
    given = {"hardware": "h200-tp2", "out": "model.json", **keys}
    given["out"] = tmp_path / given["out"]
    with pytest.raises(HeadraceError, match=message) as error:
        profile.profile(hardware_file=HARDWARE, models_file=MODELS, **given)
    assert "\n" not in str(error.value)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_python_that_is_not_there_is_named(tmp_path):
    with pytest.raises(HeadraceError, match=r"vllm.python: there is no /no/python"):
        profile.run("/no/python", out=tmp_path / "model.json", hardware="h200-tp2")


def test_a_process_that_fails_is_told(tmp_path, capfd):
    with pytest.raises(HeadraceError, match="its process ended with 1; its words are above"):
        profile.run(
            None, out=tmp_path / "m.json", hardware="h300", hardware_file=HARDWARE, models_file=MODELS
        )
    assert "no entry 'h300'" in capfd.readouterr().err
