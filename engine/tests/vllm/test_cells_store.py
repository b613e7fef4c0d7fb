"""Cells that were finished before their job was, and what an engine is for."""

import os

import pytest

from headrace.errors import HeadraceError
from headrace.vllm.cells.settings import Settings, common_size
from headrace.vllm.cells.store import FILES, Store

KEY = {"spec": {"qps": 1.0}}


def write(store, key=KEY):
    with store.writing(key) as folder:
        for name in FILES:
            (folder / name).write_text(name)


def test_a_finished_cell_is_held_and_taken(tmp_path):
    store = Store(tmp_path / "served")
    assert not store.holds(KEY)
    write(store)
    assert store.holds(KEY)
    assert not store.holds({"spec": {"qps": 2.0}})
    store.take(KEY, tmp_path / "cell")
    assert {file.name: file.read_text() for file in (tmp_path / "cell").iterdir()} == dict(
        zip(FILES, FILES, strict=True)
    )


def test_an_interrupt_leaves_nothing_of_the_cell_at_work(tmp_path):
    store = Store(tmp_path / "served")
    with pytest.raises(KeyboardInterrupt), store.writing(KEY) as folder:
        (folder / FILES[0]).write_text("half")
        raise KeyboardInterrupt
    assert not store.holds(KEY)
    assert not [*store.folder.iterdir()]


def test_what_is_taken_is_as_new_as_its_job(tmp_path):
    store = Store(tmp_path / "served")
    write(store)
    kept = store.path(KEY) / FILES[0]
    taken = tmp_path / "cell" / FILES[0]

    os.utime(kept, (1.0, 1.0))
    store.take(KEY, tmp_path / "cell")
    assert taken.stat().st_mtime > 2.0
    taken.unlink()
    assert kept.exists(), "the outputs of a job may be removed, the store stays"


def spec(**engine):
    keys = {"kv_blocks": 10, "host_blocks": 20, "block_size": 16, "slots": 8, "token_budget": 512}
    return {"tensor_parallel": 2, "engine": keys | engine}


def test_one_engine_has_the_largest_token_budget_of_its_cells():
    size = common_size([spec(), spec(token_budget=2048), spec(token_budget=1024)], "job")
    assert (size.token_budget, size.kv_blocks, size.tensor_parallel) == (2048, 10, 2)


@pytest.mark.parametrize("key", ["kv_blocks", "host_blocks", "block_size", "slots"])
def test_cells_that_no_engine_serves_together_are_told(key):
    with pytest.raises(HeadraceError, match=f"job: its cells have {key} .* and 99; one job has one engine"):
        common_size([spec(), spec(**{key: 99})], "job")


def test_what_cells_decide_is_no_further_argument():
    Settings(extra_args={"enforce_eager": True}).check("config: key vllm")
    with pytest.raises(HeadraceError, match="extra_args, key num_gpu_blocks_override: a cell or a key"):
        Settings(extra_args={"num_gpu_blocks_override": 5}).check("config: key vllm")
