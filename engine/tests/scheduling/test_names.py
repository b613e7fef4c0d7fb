import sys
from dataclasses import replace

import pytest

from headrace.errors import HeadraceError
from headrace.scheduling import EVICTIONS, POLICIES, Limits, TwoPhase, load, scheduler
from headrace.scheduling.policies.default_vllm import Vllm081
from headrace.scheduling.policies.fcfs import FCFS
from headrace.scheduling.policies.vllm_032 import Vllm032

LIMITS = Limits(token_budget=64, slots=4, blocks=100, host_blocks=0)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("eviction", EVICTIONS)
def test_every_pair_of_names_makes_a_scheduler(policy, eviction):
    made = scheduler(policy, eviction, None, LIMITS)
    assert isinstance(made, {"default_vllm": Vllm081, "vllm_032": Vllm032}.get(policy, TwoPhase))
    if policy != "vllm_032":  # which only recomputes
        assert type(made.eviction) is EVICTIONS[eviction]


def test_stock_vllm_holds_no_token_back():
    with pytest.raises(HeadraceError, match="set held_tokens: 0"):
        scheduler("vllm_032", "recompute", None, replace(LIMITS, held_tokens=1))


def test_a_policy_of_ones_own_is_a_file_and_a_class(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from headrace.scheduling import Policy\n"
        "class ShortestFirst(Policy):\n"
        "    @staticmethod\n"
        "    def key(request):\n"
        "        return request.prompt, request.id\n"
    )
    assert load(f"{file}:ShortestFirst").__name__ == "ShortestFirst"
    assert isinstance(scheduler(f"{file}:ShortestFirst", "recompute", None, LIMITS), TwoPhase)


@pytest.mark.parametrize(
    ("policy", "eviction", "message"),
    [
        ("fcsf", "recompute", "unknown policy 'fcsf'; did you mean 'fcfs'?"),
        ("fcfs", "cost_publish", "unknown eviction rule 'cost_publish'; did you mean 'cost_published'?"),
        ("missing.py:Mine", "swap", "no such file missing.py"),
    ],
)
def test_an_unknown_name_is_one_line_with_the_nearest(policy, eviction, message):
    with pytest.raises(HeadraceError, match=message.replace("?", r"\?")) as error:
        scheduler(policy, eviction, None, LIMITS)
    assert "\n" not in str(error.value)


def test_a_file_without_the_class_says_so(tmp_path):
    (tmp_path / "mine.py").write_text("x = 1\n")
    with pytest.raises(HeadraceError, match="defines no class Mine"):
        load(f"{tmp_path / 'mine.py'}:Mine")


@pytest.mark.parametrize("text", ["", "class A: pass\nclass B: pass\n"])
def test_a_builtin_policy_is_one_class(tmp_path, monkeypatch, text):
    (tmp_path / "odd.py").write_text(text)
    monkeypatch.setattr("headrace.scheduling.POLICIES", ("odd",))
    monkeypatch.setattr("headrace.scheduling.policies.__path__", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "headrace.scheduling.policies.odd", raising=False)
    with pytest.raises(HeadraceError, match=f"odd.py: defines {text.count('class')} classes"):
        load("odd")


def test_builtin_policies_load_by_name():
    assert load("fcfs") is FCFS


@pytest.mark.parametrize(
    ("field", "value"),
    [("token_budget", 0), ("slots", 0), ("blocks", 0), ("host_blocks", -1), ("blocks_ahead", -1)],
)
def test_limits_must_make_sense(field, value):
    fields = {"token_budget": 1, "slots": 1, "blocks": 1, "host_blocks": 0, field: value}
    with pytest.raises(ValueError, match=field):
        Limits(**fields)


def test_a_pool_must_hold_a_request_and_what_is_allocated_ahead():
    limits = Limits(token_budget=1, slots=1, blocks=10, host_blocks=0, block_size=16, blocks_ahead=4)
    assert limits.longest_tokens == 6 * 16
