"""World 0 is the most typical of several draws, by the workload alone."""

import numpy as np
import polars as pl
import pytest

from headrace.errors import HeadraceError
from headrace.workload import generate, read_table
from headrace.workload.generate import draw
from headrace.workload.typical import (
    CONTEXT_TOKENS,
    TOKENS_PER_S,
    _chunk_work_s,
    _queued,
    most_typical,
)

SEED = 5


def one_chunk_each(tokens: list[int]) -> pl.DataFrame:
    columns = {"query_id": range(len(tokens)), "offset_s": 0.0, "prompt_tokens": tokens}
    return pl.DataFrame(columns).with_columns(common_prefix_tokens=pl.lit(0), final=pl.lit(True))


def test_the_queue_by_hand():
    """Work of 2 s due at 0, 1 s due at 1, 1 s due at 9: done at 2, 3, 10. Rows keep their order."""
    assert _queued(np.array([9.0, 0.0, 1.0]), np.array([1.0, 2.0, 1.0])).tolist() == [1.0, 2.0, 2.0]


def test_work_of_a_stream_that_is_updated_before_it_is_computed():
    """`t` tokens of context double a token's work. Chunk 0 has C tokens, 1.5 C of work, and time for all;
    chunk 1 keeps half of it and adds C: in the half second that it has, less than that; chunk 2 keeps what
    there is and asks for 100 more."""
    c, speed = CONTEXT_TOKENS, TOKENS_PER_S
    draw = pl.DataFrame(
        {
            "query_id": [0, 0, 0],
            "offset_s": [0.0, 60.0, 60.5],
            "prompt_tokens": [c, 10 * c, c // 2 + 100],
            "common_prefix_tokens": [0, c // 2, c // 2],
            "final": [False, False, True],
        }
    )
    first, second, last = _chunk_work_s(draw)
    assert first == pytest.approx(1.5 * c / speed)
    assert second == pytest.approx(0.5)
    assert last == pytest.approx(100 * (1.5 + 50 / c) / speed)


def test_the_draw_between_two_others_is_the_typical_one():
    arrival_s = np.arange(1.0, 21.0)
    draws = [one_chunk_each([size] * 19 + [20 * size]) for size in (1000, 3000, 2000)]
    assert most_typical(draws, arrival_s) is draws[2]
    # Nothing but the place of the giants: apart from each other, then together, twice.
    far, near, close = ([1000] * 20 for _ in range(3))
    far[2] = far[17] = near[9] = near[10] = close[8] = close[9] = TOKENS_PER_S
    draws = [one_chunk_each(tokens) for tokens in (far, near, close)]
    assert most_typical(draws, arrival_s) is not draws[0]


def test_equal_draws_give_the_first():
    draws = [one_chunk_each([10, 20, 30]) for _ in range(3)]
    assert most_typical(draws, np.array([0.5, 1.0, 2.0])) is draws[0]


def test_only_world_0_is_chosen(parameters, tmp_path):
    def worlds(typical_of: int) -> list[pl.DataFrame]:
        path = tmp_path / f"{typical_of}.parquet"
        generate("anns", parameters("anns"), 3, SEED, 80, path, typical_of, progress=False)
        return read_table(path).partition_by("world")

    plain, chosen = worlds(1), worlds(12)
    assert not plain[0].equals(chosen[0])
    assert plain[1].equals(chosen[1]) and plain[2].equals(chosen[2])
    assert chosen[0].drop("world").equals(worlds(12)[0].drop("world"))
    assert draw("anns", parameters("anns"), 1, SEED, 80, 12).equals(
        draw("anns", parameters("anns"), 1, SEED, 80)
    )


def test_no_draw_is_refused(parameters, tmp_path):
    with pytest.raises(HeadraceError, match="workload anns: 0 draws of world 0; ask for at least 1"):
        generate("anns", parameters("anns"), 1, SEED, 10, tmp_path / "x.parquet", 0, progress=False)
    assert not list(tmp_path.iterdir())
