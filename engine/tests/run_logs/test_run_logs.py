"""Run logs come back as the cells that they were written from."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest

from headrace.errors import HeadraceError
from headrace.metrics.collect import metrics_of
from headrace.metrics.requests import read_requests
from headrace.run_logs.read import read_run_logs

TIMES = ["arrival_s", "opened_s", "handed_over_s", "first_token_s", "finished_s", "ttft_s", "e2e_s"]
COUNTS = ["request_id", "preemptions_recompute", "preemptions_swap", "chunks"]


def test_every_cell_comes_back(data_set):
    found = data_set.read()
    assert found["status"].to_list() == ["read"] * 5
    assert found["requests"].to_list() == [30] * 5
    for number, axes in enumerate(data_set.expected):
        table, made = data_set.table(number), data_set.requests[number]
        streamed = ["opened_s"] * axes["stream"]
        for column in set(TIMES) - {"opened_s"} | set(streamed):
            assert (table[column] - made[column]).abs().max() < 1e-6, column
        assert table.select(COUNTS[:3]).equals(made.select(COUNTS[:3]))
        assert table["chunks"].to_list() == [4 if axes["stream"] else 1] * 30
        known = made["invalidated_tokens"] if axes["workload"] == "anns" else pl.repeat(0, 30, eager=True)
        assert table["invalidated_tokens"].to_list() == known.to_list()
        for column in ("last_chunk_s", "prompt_tokens", "output_tokens", "computed_tokens"):
            assert table[column].null_count() == 30
    assert (data_set.table(1)["opened_s"] == data_set.table(1)["handed_over_s"]).all()


def test_a_prompt_sent_whole_has_nothing_invalidated(data_set, fabricate):
    cell = {"workload": "anns", "policy": "default_vllm", "stream": False, "qps": 2.0}
    whole = {"backend": "published", "hardware": "h200-tp2", "delay": 1, "eviction": "cost_published"} | cell
    data_set.expected.append(whole)
    data_set.requests.append(pl.read_parquet(fabricate(worlds=1, queries=30, **cell)))
    folder = data_set.add(5)
    assert not (folder / "collected_outputs_streaming.json").exists()
    assert data_set.read()["problem"].to_list() == [""] * 6
    assert data_set.table(5)["invalidated_tokens"].to_list() == [0] * 30


def test_metrics_are_those_of_the_requests_they_were_written_from(data_set, tmp_path):
    data_set.read()
    logged = metrics_of([data_set.cell(number) for number in range(5)], "test").drop("backend")
    made = metrics_of((tmp_path / "cells").rglob("requests.parquet"), "test").drop("backend")
    keys = [column for column in made.columns if column != "value"]
    both = logged.join(made, on=keys, how="full", suffix="_made")
    appended = (pl.col("workload") == "crawler") & pl.col("quantity").str.starts_with("invalidated")
    both = both.filter(~appended)
    assert both["value"].null_count() == both["value_made"].null_count() == 0
    assert (both["value"] - both["value_made"]).abs().max() < 1e-5
    assert {"ttft_p99.9_s", "preemptions_swap", "concurrent_requests_p95", "completion_s"} <= set(
        both["quantity"]
    )


def test_concurrency_is_the_logs_own_count(data_set):
    def nine(lines):
        yield lines[0]
        for line in lines[1:]:
            fields = line.rstrip("\n").rsplit(",", 5)
            yield ",".join([*fields[:-5], "9", *fields[-4:]]) + "\n" if "preempted_" in line else line

    data_set.edit(3, nine)
    text = data_set.log(3).read_text().splitlines()
    header = text[0].split(",")
    assert header.index("concurrent_requests") == len(header) - 5
    data_set.read()
    found = metrics_of([data_set.cell(3)], "test")
    values = dict(found.select("quantity", "value").iter_rows())
    assert {values[f"concurrent_requests_{name}"] for name in ("p50", "p95", "mean")} == {9.0}


def test_events_of_the_engine_are_kept(data_set):
    data_set.read()
    events = data_set.table(0, "events")
    assert events.columns == ["world", "request_id", "time_s", "kind", "duration_s", "concurrent_requests"]
    counts = dict(events["kind"].value_counts().iter_rows())
    assert counts["queued"] == counts["finished"] == 30
    assert counts["preempted_swap"] == data_set.requests[0]["preemptions_swap"].sum()
    preempted = events.filter(pl.col("kind").str.starts_with("preempted_"))
    assert preempted["concurrent_requests"].null_count() == 0
    assert set(preempted["duration_s"]) == {0.05}


@pytest.mark.parametrize(
    "stamp",
    [
        lambda time: datetime.fromtimestamp(time, UTC).replace(tzinfo=None).isoformat(),
        lambda time: datetime.fromtimestamp(time, UTC).isoformat(sep=" "),
        lambda time: datetime.fromtimestamp(time, UTC).replace(tzinfo=None).isoformat() + "Z",
        lambda time: f"{time - 1_760_000_000 + 17:.6f}",
    ],
)
def test_timestamps_may_be_iso_8601_or_seconds_since_any_moment(data_set, stamp):
    data_set.log(2).unlink()
    data_set.folder(2).rename(data_set.root / "away")
    data_set.add(2, stamp=stamp)
    assert data_set.read()["status"].to_list() == ["read"] * 5
    made, table = data_set.requests[2], data_set.table(2)
    assert (table["arrival_s"] - made["arrival_s"]).abs().max() < 3e-6
    assert (table["finished_s"] - made["finished_s"]).abs().max() < 3e-6


def test_cell_json_says_which_run_it_was(data_set):
    data_set.read()
    cell = json.loads((data_set.cell(4) / "cell.json").read_text())
    assert cell["backend"] == "published"
    assert cell["spec"] == data_set.expected[4]
    run = cell["run"]
    assert (
        run["folder"]
        == "run_log/anns/H200_enhanced_schedulers_v1_500q_delay_30_swap_only/mcps/2025-10-08_streaming"
    )
    assert run["config"]["gap_s"] == 0.5
    assert run["config"]["content"]["model"] == {"name": "llama"}
    assert len(run["log_sha256"]) == 64
    assert "busy_s" not in cell["worlds"][0]
    assert cell["worlds"][0]["end_s"] == pytest.approx(data_set.requests[4]["finished_s"].max() + 0.5)
    assert {"wall_s", "host"} <= json.loads((data_set.cell(4) / "run.json").read_text()).keys()


def test_reading_twice_writes_the_same_bytes(data_set):
    def contents():
        return {path: path.read_bytes() for path in files if path.name != "run.json"}

    data_set.read()
    files = [data_set.runs, *(path for path in data_set.cells.rglob("*") if path.is_file())]
    assert len(files) == 1 + 5 * 4
    first = contents()
    data_set.read()
    assert contents() == first
    assert not [path for path in data_set.cells.parent.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("below", ["data/run_log", "data", "."])
def test_the_folder_may_be_the_logs_or_hold_them(data_set, below):
    read_run_logs(data_set.root / below, data_set.expected, data_set.runs, data_set.cells)
    assert data_set.table(0).height == 30


def test_queries_without_numbers_are_numbered_as_they_start(data_set):
    data_set.edit(2, lambda lines: [line.replace("request-", "request-r") for line in _named(lines)])
    data_set.read()
    assert data_set.table(2)["request_id"].to_list() == list(range(30))
    assert data_set.table(2)["arrival_s"].is_sorted()


def _named(lines):
    header = lines[0].split(",")
    place = header.index("query_id")
    yield lines[0]
    for line in lines[1:]:
        fields = line.split(",")
        fields[place] = fields[place] and f"query_{fields[place]}"
        yield ",".join(fields)


def test_events_that_name_only_their_request_find_their_query(data_set):
    def nameless(lines):
        for line in lines:
            fields = line.split(",")
            yield ",".join([*fields[:2], "", *fields[3:]]) if "preempted_" in line else line

    data_set.edit(0, nameless)
    assert data_set.read()["problem"].to_list() == [""] * 5
    assert (
        data_set.table(0)["preemptions_recompute"].sum()
        == data_set.requests[0]["preemptions_recompute"].sum()
        > 0
    )


def test_only_run_logs_may_leave_sizes_out(data_set, tmp_path):
    data_set.read()
    assert read_requests(data_set.cell(0) / "requests.parquet")["prompt_tokens"].null_count() == 30
    simulated = next((tmp_path / "cells/backend=sim").rglob("requests.parquet"))
    pl.read_parquet(simulated).with_columns(prompt_tokens=pl.lit(None, pl.Int32)).write_parquet(simulated)
    with pytest.raises(HeadraceError, match="a value is missing"):
        read_requests(simulated)
