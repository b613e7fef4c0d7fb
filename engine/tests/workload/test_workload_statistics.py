import polars as pl
import pytest

from headrace.workload import statistics
from headrace.workload.table import SCHEMA

CRAWLER = [
    (0, 0, 0, 2.0, "append", 10, 0, False, 1),
    (0, 0, 1, 2.5, "append", 30, 10, False, 1),
    (0, 0, 2, 4.5, "append", 100, 30, True, 1),
    (0, 1, 0, 3.0, "append", 40, 0, True, 1),
]
ANNS = [
    (0, 0, 0, 0.25, "update", 100, 0, False, 1),
    (0, 0, 1, 1.0, "update", 80, 60, False, 1),
    (0, 0, 2, 4.0, "update", 120, 10, True, 1),
    (0, 1, 0, 3.0, "update", 50, 0, True, 1),
]


def measured(rows: list[tuple]) -> dict[str, dict]:
    found = statistics(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    assert found.columns == [
        "world",
        "quantity",
        "unit",
        "n",
        "mean",
        "std",
        "min",
        "p5",
        "p25",
        "p50",
        "p75",
        "p95",
        "p99",
        "max",
    ]
    return {row["quantity"]: row for row in found.to_dicts()}


def test_crawler_by_hand():
    found = measured(CRAWLER)
    assert [found["total_tokens_per_query"][k] for k in ("unit", "n", "mean", "p50", "p75")] == [
        "tokens", 2, 70, 70, 85,
    ]  # fmt: skip
    assert [found["query_duration"][k] for k in ("unit", "n", "mean", "p95")] == [
        "s",
        2,
        3.75,
        pytest.approx(4.425),
    ]
    # Between the rows of a trace: the search at 2.0 s, pages at 2.5 and 4.5 s.
    assert [found["inter_chunk_time"][k] for k in ("unit", "n", "mean", "p25")] == ["ms", 2, 1250, 875]
    assert [found["inter_chunk_time"][k] for k in ("min", "max")] == [500, 2000]
    assert found["inter_chunk_time"]["std"] == pytest.approx(750 * 2**0.5)
    assert [found["chunks_per_query"][k] for k in ("unit", "n", "mean", "min", "max")] == [
        "chunks", 2, 2, 1, 3,
    ]  # fmt: skip
    assert found["potential_invalidated_tokens"]["p99"] == 0


def test_anns_by_hand():
    found = measured(ANNS)
    # Starts at 0, 0.25 and 1.0 s; the last window is no gap.
    assert [found["inter_chunk_time"][k] for k in ("n", "mean", "p50")] == [2, 500, 500]
    assert found["total_tokens_per_query"]["mean"] == 85
    assert found["query_duration"]["mean"] == 3.5
    # 100 - 60, then 80 - 10; the second query loses nothing.
    assert [found["potential_invalidated_tokens"][k] for k in ("n", "mean")] == [2, 55]


def test_worlds_stay_apart():
    later = [(1, *row[1:]) for row in ANNS[3:]]
    found = statistics(pl.DataFrame([*CRAWLER, *later], schema=SCHEMA, orient="row"))
    tokens = found.filter(pl.col("quantity") == "total_tokens_per_query")
    assert tokens.select("world", "n", "mean").rows() == [(0, 2, 70.0), (1, 1, 50.0)]
    assert "inter_chunk_time" not in found.filter(pl.col("world") == 1)["quantity"]
