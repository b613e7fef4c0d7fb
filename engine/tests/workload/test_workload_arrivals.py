import numpy as np
import polars as pl
import pytest

from headrace.workload import read_arrivals, stretch, write_arrivals


@pytest.fixture
def arrivals(tmp_path):
    path = tmp_path / "arrivals.parquet"
    write_arrivals(500, 3, 7, path)
    return path


def test_world_0_has_the_published_arrivals(arrivals):
    # np.random.seed(42); np.random.exponential(): 0.4692680899, 3.0101214309, 1.3167456935, ...
    world = read_arrivals(arrivals).filter(pl.col("world") == 0)["arrival_s"].to_list()
    assert world[:3] == pytest.approx([0.4692680899, 3.4793895208, 4.7961352143])
    np.random.seed(42)
    at_4_qps = np.cumsum([np.random.exponential(1 / 4) for _ in range(500)])
    assert np.array(world) / 4 == pytest.approx(at_4_qps, rel=1e-12)


def test_other_worlds_are_draws_of_their_own(arrivals, tmp_path):
    table = read_arrivals(arrivals)
    worlds = [table.filter(pl.col("world") == world)["arrival_s"].to_numpy() for world in range(3)]
    assert not np.array_equal(worlds[1], worlds[2])
    assert all(world[-1] == pytest.approx(500, rel=0.2) for world in worlds)
    write_arrivals(500, 3, 7, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == arrivals.read_bytes()
    write_arrivals(500, 3, 8, tmp_path / "other.parquet")
    other = read_arrivals(tmp_path / "other.parquet")
    assert other.filter(pl.col("world") == 0).equals(table.filter(pl.col("world") == 0))
    assert not other.filter(pl.col("world") == 1).equals(table.filter(pl.col("world") == 1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"arrival_s": [0.0, 2.0, 1.0]}, ("row 2 (world 0, query_id 2)", "goes back in time")),
        ({"arrival_s": [0.0, float("nan"), 1.0]}, ("row 1", "bad arrival_s")),
        ({"arrival_s": [-1.0, 0.0, 1.0]}, ("row 0", "bad arrival_s")),
        ({"query_id": [0, 1, 1]}, ("row 2", "is there twice")),
        ({"query_id": [0, 2, 1]}, ("row 2", "out of order")),
        ({"world": [1, 1, 0]}, ("row 2", "out of order")),
        ({"world": [-1, 0, 0]}, ("row 0", "negative")),
    ],
)
def test_names_the_row_at_fault(tmp_path, refused, change, words):
    columns = {"world": [0, 0, 0], "query_id": [0, 1, 2], "arrival_s": [0.0, 1.0, 2.0]} | change
    pl.DataFrame(columns).write_parquet(tmp_path / "bad.parquet")
    with refused("bad.parquet", *words):
        read_arrivals(tmp_path / "bad.parquet")


def test_refuses_missing_columns_and_empty_studies(tmp_path, refused):
    pl.DataFrame({"world": [0], "query_id": [0]}).write_parquet(tmp_path / "bad.parquet")
    with refused("bad.parquet", "column 'arrival_s' is missing"):
        read_arrivals(tmp_path / "bad.parquet")
    with refused("0 queries in 2 worlds"):
        write_arrivals(0, 2, 1, tmp_path / "x.parquet")


def test_stretch_by_hand():
    offsets, first = np.array([2.0, 3.0, 5.0, 1.0, 4.0]), np.array([2.0, 2.0, 2.0, 1.0, 1.0])
    assert stretch(offsets, first, 10, "scrapes").tolist() == [2, 12, 32, 1, 31]
    assert stretch(offsets, first, 30, "all").tolist() == [60, 90, 150, 30, 120]
    assert stretch(offsets, first, 1, "scrapes").tolist() == offsets.tolist()
    assert stretch(np.array([2.0, 3.0]), 2.0, 10, "scrapes").tolist() == [2, 12]


def test_stretch_refuses_unknown_scopes_and_factors(refused):
    with refused("unknown scope 'scrape'", "did you mean 'scrapes'?"):
        stretch(np.array([1.0]), 1.0, 10, "scrape")
    for delay in (0, -1, float("nan"), float("inf")):
        with refused("delay", "positive factor"):
            stretch(np.array([1.0]), 1.0, delay, "all")
