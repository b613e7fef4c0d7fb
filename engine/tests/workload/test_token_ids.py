import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.workload import generate, prompts, read_table, token_ids, write_token_ids
from headrace.workload.table import SCHEMA

TEMPLATE = 3


@st.composite
def tables(draw) -> pl.DataFrame:
    """One world of a few queries: appends, or updates that may cut into the template."""
    rows = []
    for query in range(draw(st.integers(1, 5))):
        mode, size = draw(st.sampled_from(["append", "update"])), 0
        count = draw(st.integers(1, 5))
        for chunk in range(count):
            if mode == "append" or chunk == 0:
                kept, size = size, size + draw(st.integers(1, 8))
            else:
                new = draw(st.integers(1, 16))
                kept, size = draw(st.integers(0, min(size, new))), new
            rows.append((0, query, chunk, float(chunk), mode, size, kept, chunk == count - 1, 1))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def shared(left: np.ndarray, right: np.ndarray) -> int:
    same = left[: len(right)] == right[: len(left)]
    return len(same) if same.all() else int(np.argmin(same))


def all_prompts(table: pl.DataFrame, world: int = 0, vocabulary=range(50, 90), seed: int = 1) -> dict:
    found = {}
    for query, chunks in token_ids(table, world, vocabulary, TEMPLATE, seed):
        kept = table.filter((pl.col("world") == world) & (pl.col("query_id") == query))[
            "common_prefix_tokens"
        ]
        found[query] = list(prompts(chunks, kept.to_list()))
    return found


@settings(max_examples=200, deadline=None)
@given(tables(), st.integers(0, 1000))
def test_has_exactly_the_prefix_structure_of_the_table(table, seed):
    found = all_prompts(table, seed=seed)
    for query, given_prompts in found.items():
        rows = table.filter(pl.col("query_id") == query)
        assert [len(prompt) for prompt in given_prompts] == rows["prompt_tokens"].to_list()
        for previous, prompt, kept in zip(
            given_prompts, given_prompts[1:], rows["common_prefix_tokens"][1:], strict=False
        ):
            assert shared(previous, prompt) == kept
        assert all(50 <= token < 90 for prompt in given_prompts for token in prompt)
        for other, its_prompts in found.items():
            if other != query:
                assert max(shared(a, b) for a in given_prompts for b in its_prompts) <= TEMPLATE


@pytest.fixture
def anns(parameters, tmp_path) -> pl.DataFrame:
    path = tmp_path / "anns.parquet"
    generate("anns", parameters("anns"), 2, 5, 40, path, progress=False)
    return read_table(path)


def test_a_generated_workload(anns):
    found = all_prompts(anns, vocabulary=range(1000, 131_072))
    template = next(iter(found.values()))[0][:TEMPLATE].tolist()
    behind = set()
    for given_prompts in found.values():
        assert all(prompt[:TEMPLATE].tolist() == template for prompt in given_prompts)
        behind.add(int(given_prompts[-1][TEMPLATE]))
    assert len(behind) == len(found) == 40


def test_same_arguments_same_ids_and_worlds_and_seeds_differ(anns):
    def ids(world: int, seed: int) -> np.ndarray:
        return np.concatenate(
            [new for _, chunks in token_ids(anns, world, range(9999), 27, seed) for new in chunks]
        )

    assert np.array_equal(ids(0, 1), ids(0, 1))
    assert not np.array_equal(ids(0, 1)[:100], ids(0, 2)[:100])
    assert not np.array_equal(ids(0, 1)[:100], ids(1, 1)[:100])


def test_is_written_as_new_tokens_per_chunk(anns, tmp_path):
    for name in ("a", "b"):
        write_token_ids(anns, 1, range(9999), 27, 3, tmp_path / f"{name}.parquet", progress=False)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    written, world = pl.read_parquet(tmp_path / "a.parquet"), anns.filter(pl.col("world") == 1)
    key = ["world", "query_id", "chunk_index"]
    assert written.select(key).equals(world.select(key))
    new = world["prompt_tokens"] - world["common_prefix_tokens"]
    assert written["token_ids"].list.len().cast(pl.Int32).to_list() == new.to_list()
    assert written["token_ids"].dtype == pl.List(pl.Int32)


def test_refuses_small_vocabularies_and_unknown_worlds(anns, tmp_path, refused):
    with refused("20 ids can't tell", "raise the vocabulary size"):
        all_prompts(anns, vocabulary=range(20))
    with refused("world 2 is not in the workload"):
        write_token_ids(anns, 2, range(9999), 27, 3, tmp_path / "x.parquet", progress=False)
