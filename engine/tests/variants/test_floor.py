"""World 0 against further draws, taken as if they were the published run."""

import polars as pl
import pytest

from headrace import trial
from headrace.errors import HeadraceError
from headrace.scorecard.reference import KEYS
from headrace.variants.floor import COLUMNS, floor, write_draws, write_floor

CELL = {
    "backend": "sim",
    "hardware": "h200-tp2",
    "workload": "anns",
    "delay": 1,
    "eviction": "cost_published",
    "policy": "default_vllm",
    "stream": True,
    "qps": 2.0,
}
FCFS = {**CELL, "policy": "fcfs"}
WHOLE = {**CELL, "stream": False}
PRESSURE = {**CELL, "delay": 30}


def errors(table, quantity, **keys):
    return table.filter(quantity=quantity, **keys).sort("draw")["error"].to_list()


def test_errors_by_hand(metrics_of):
    table = floor(
        pl.concat(
            [metrics_of(CELL, ttft_p50_s=[2.0, 4.0, 1.0]), metrics_of(FCFS, ttft_p50_s=[1.0, 1.0, 1.0])]
        )
    )
    assert errors(table, "ttft_p50_s", policy="default_vllm") == [-0.5, 1.0]
    assert errors(table, "ttft_p50_s", policy="fcfs") == [0.0, 0.0]
    assert errors(table, "speedup_vs_streaming_p50") == [2.0 / 4.0 - 1, 2.0 / 1.0 - 1]
    assert table.columns == [*KEYS, "draw", "error"]
    assert table["draw"].unique().sort().to_list() == [1, 2]


def test_shares_are_differences_and_nothing_against_nothing_is_right(metrics_of):
    table = floor(metrics_of(PRESSURE, swap_share=[0.3, 0.1], preemptions=[0, 0], preemptions_swap=[5, 0]))
    assert errors(table, "swap_share") == [pytest.approx(0.2)]
    assert errors(table, "preemptions") == [0.0]
    assert errors(table, "preemptions_swap") == [], "relative to 0"


def test_what_one_draw_lacks_is_left_out(metrics_of):
    lacking = metrics_of(PRESSURE, swap_share=[0.3, 0.1, 0.2], preemptions=[3, 4, 5])
    lacking = lacking.filter(~((pl.col("quantity") == "swap_share") & (pl.col("world") == 1)))
    table = floor(lacking)
    assert table.filter(quantity="swap_share")["draw"].to_list() == [2]
    assert table.filter(quantity="preemptions")["draw"].to_list() == [1, 2]


def test_identical_draws_have_no_error(config, monkeypatch, tmp_path):
    real = trial.draw
    monkeypatch.setattr(
        trial, "draw", lambda name, parameters, world, *rest: real(name, parameters, 1, *rest)
    )
    write_draws(config, "stream2llm", [CELL, FCFS, WHOLE], 2, tmp_path / "draws.parquet", progress=False)
    write_floor([tmp_path / "draws.parquet"], tmp_path / "floor.csv")
    table = pl.read_csv(tmp_path / "floor.csv")
    assert table.columns == list(COLUMNS)
    assert table.height > 30
    assert set(table["error"]) == {0.0}


def test_draws_have_the_published_arrivals_and_other_prompts(config, tmp_path):
    write_draws(config, "stream2llm", [CELL], 3, tmp_path / "draws.parquet", progress=False)
    table = pl.read_parquet(tmp_path / "draws.parquet")
    assert table.filter(quantity="published_gaps")["value"].to_list() == [1.0] * 4
    assert table.filter(quantity="ttft_p95_s")["value"].n_unique() == 4
    assert set(floor(table)["error"]) != {0.0}


def test_two_runs_give_the_same_bytes(config, tmp_path):
    for name in ("one", "two"):
        write_draws(config, "stream2llm", [CELL, FCFS], 1, tmp_path / f"{name}.parquet", progress=False)
        write_floor([tmp_path / f"{name}.parquet"], tmp_path / f"{name}.csv")
    for kind in ("parquet", "csv"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


def test_without_a_draw_there_is_no_floor(metrics_of, tmp_path, config):
    with pytest.raises(HeadraceError, match=r"has the worlds \[0\]; world 0 and a draw are needed"):
        floor(metrics_of(CELL, ttft_p50_s=[2.0]))
    with pytest.raises(HeadraceError, match="there is no draw"):
        write_floor([], tmp_path / "floor.csv")
    with pytest.raises(HeadraceError, match="there is no cell to draw anew"):
        write_draws(config, "stream2llm", [], 1, tmp_path / "draws.parquet", progress=False)
    assert not (tmp_path / "floor.csv").exists()
