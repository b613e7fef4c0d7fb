"""Backend vllm-scheduler without vLLM: what can be said, and refused, before it is needed."""

import sys

import pytest

from headrace import cell
from headrace import digest as digests
from headrace.errors import HeadraceError
from headrace.spec import PLUGIN, check_spec


def on_vllm(spec, **engine):
    return spec | {"backend": "vllm-scheduler", "engine": spec["engine"] | PLUGIN | engine}


def test_the_plugins_limits_are_asked_for(toy):
    assert check_spec(on_vllm(toy.spec), "spec").backend == "vllm-scheduler"


@pytest.mark.parametrize(
    ("key", "value"),
    [("blocks_ahead", 4), ("held_tokens", 0), ("whole_blocks", False), ("evict_for_slots", False)],
)
def test_other_limits_are_refused(toy, key, value):
    with pytest.raises(HeadraceError, match=f"key engine.{key}: .* can't have {value}; set {PLUGIN[key]}"):
        check_spec(on_vllm(toy.spec, **{key: value}), "spec")


def test_without_vllm_one_line_says_so_and_nothing_is_written(toy, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    monkeypatch.delitem(sys.modules, "headrace.vllm.virtual", raising=False)
    with pytest.raises(HeadraceError, match=r"backend vllm-scheduler: vllm.* is not installed; pip"):
        cell.run(on_vllm(toy.spec), out=toy.out, **toy.paths)
    assert not toy.out.exists()


def test_a_simulated_cell_does_not_depend_on_the_plugin():
    found = set()
    digests._collect(digests._file("headrace.cell"), found, set())
    assert not [file for file in found if "vllm" in file.relative_to(digests.SOURCES).parts]
