"""The front page: what was run, on what, when, and how far off, as the files of the cells say."""

import json

import pytest

from headrace.errors import HeadraceError
from headrace.metrics import collect
from headrace.report import Setting, write_front_page, write_scorecard_page
from headrace.report.facts import gather, joined, overloaded
from headrace.scorecard.score import COLUMNS

SCORES = [
    "inline,h200-tp2,crawler,main,1.0,fcfs,true,ttft_p50_s,0.1,0.15,0.1,0.2,0.5,0.24,seen,inside",
    "inline,h200-tp2,crawler,main,1.0,fcfs,true,ttft_p95_s,1.0,0.25,0.1,0.2,-0.76,0.1,seen,outside",
    "table4,h200-tp2,crawler,main,1.0,fcfs,true,preemptions,10,,,,,,seen,missing",
    "inline,h200-tp2,crawler,main,1.0,lcas,true,ttft_p50_s,,0.15,0.1,0.2,,,held_out,",
]


@pytest.fixture
def study(tmp_path, fabricate, leave):
    """The inputs of a front page: two cells, of which one is overloaded."""
    first = fabricate(policy="fcfs", qps=1.0)
    second = fabricate(policy="default_vllm", qps=2.0, stream=False)
    left = [
        leave(first, finished_at="2026-01-02T03:00:10+00:00", wall_s=20.0),
        leave(second, load=1.25, finished_at="2026-01-02T03:01:00+00:00", wall_s=5.0, commit=None),
    ]
    collect([first, second], tmp_path / "metrics.parquet")
    scorecard = tmp_path / "scorecard.csv"
    scorecard.write_text("\n".join([",".join(COLUMNS), *SCORES]) + "\n", encoding="utf-8")
    (tmp_path / "lock").write_text("polars==2.1.0\n", encoding="utf-8")
    return {
        "cells": [cell for cell, _ in left],
        "runs": [run for _, run in left],
        "metrics": tmp_path / "metrics.parquet",
        "scorecard": scorecard,
        "lock": tmp_path / "lock",
        "setting": Setting(
            "Stream2LLM", "sim", "f" * 64, ["config/<mine>.yaml"], {"seed": 7}, {"h200-tp2": True}
        ),
        "out": tmp_path / "front_page.html",
    }


def test_it_says_what_was_run_on_what_and_when(study, read_page):
    write_front_page(**study)
    told = read_page(study["out"]).definitions()
    assert told["Cells"] == "2, with 360 requests in all their worlds"
    assert told["Policies"] == "default_vllm (not streaming), fcfs"
    assert told["Workload crawler"] == "synthetic; 60 queries, 3 worlds; 1, 2 queries/s"
    assert told["Cells ran"] == "2026-01-02 02:59:50 to 2026-01-02 03:01:00 UTC; 25 s in all"
    assert told["Headrace"] == "9.8.7, commit abc1234-dirty"
    assert told["CPU"] == "Some CPU, 2 logical CPUs"
    assert told["Configuration"] == "config/<mine>.yaml; SHA-256 ffffffffffffffff"
    assert told["Package lock"].endswith("SHA-256 9245c214ac58f4cd")
    assert told["Set on the command line"] == '{"seed": 7}'


def test_it_says_that_numbers_were_measured_and_on_what(study, read_page):
    weights = {"source": "some/model", "load_format": "dummy"}
    for number, (cell, run) in enumerate(zip(study["cells"], study["runs"], strict=True)):
        content = json.loads(cell.read_text())
        del content["perf_model"]
        content["vllm"] = {"version": "vllm 0.32.0", "device": "NVIDIA H200", "weights": weights}
        cell.write_text(json.dumps(content))
        late = {"lateness": {"p50_ms": 0.5, "p99_ms": 1.5 + number}}
        run.write_text(json.dumps(json.loads(run.read_text()) | late))
    study["setting"].backend = "vllm"
    write_front_page(**study)
    page = read_page(study["out"])
    assert "The numbers here were measured" in page.markup
    told = page.definitions()
    assert told["Served by"] == "vllm 0.32.0 on NVIDIA H200"
    assert told["Weights"] == "some/model (dummy)"
    assert told["Chunks sent late by"] == "2.5 ms at most in P99 of a cell"


def test_it_says_that_numbers_are_simulated_and_with_what(study, read_page):
    write_front_page(**study)
    page = read_page(study["out"])
    assert "Every number here is simulated" in page.texts["p"][0]
    assert page.tables[0][1] == [
        "h200-tp2",
        "NVIDIA H200 SXM, TP 2",
        "silicon",
        "h200-tp2.llama.silicon.json",
        "0123456789abcdef",
        "yes",
    ]


def test_it_sums_up_the_scorecard_bad_rows_included(study, read_page):
    write_front_page(**study)
    page = read_page(study["out"])
    assert page.tables[1][1] == [
        "crawler",
        "inline",
        "TTFT P50 P95 P99",
        "2",
        "63%",
        "73%",
        "17%",
        "23%",
        "50%",
    ]
    worst = page.tables[2]
    assert worst[1] == [
        "main, 1 queries/s, fcfs",
        "ttft_p95_s",
        "1.00",
        "0.250",
        "0.100 to 0.200",
        "-76%",
        "+10%",
    ]
    told = page.definitions()
    assert told["Missing: published, not reproduced"] == "1"
    assert told["Held out: no published number here yet"] == "1"


def test_it_names_overloaded_cells(study, read_page):
    write_front_page(**study)
    page = read_page(study["out"])
    assert "Overloaded cells: 1" in page.texts["h2"]
    assert page.tables[-1][1] == [
        "crawler",
        "h200-tp2",
        "x1, cost_published",
        "default_vllm, non-streaming",
        "2",
        "1.25",
    ]


def test_it_needs_no_script_so_that_it_can_stand_inside_another_page(study, read_page):
    write_front_page(**study)
    assert "script" not in read_page(study["out"]).tags


def test_it_counts_skipped_traces_and_run_logs(study, tmp_path, read_page):
    (tmp_path / "crawler.traces.json").write_text(
        '{"workload": "crawler", "traces": 24, "skipped": ["query_17.csv"]}', encoding="utf-8"
    )
    (tmp_path / "runs.csv").write_text("status,folder\nread,a\nread,b\nmissing,\n", encoding="utf-8")
    listed = {"traces": [tmp_path / "crawler.traces.json"], "runs_listed": [tmp_path / "runs.csv"]}
    write_front_page(**study, **listed)
    told = read_page(study["out"]).definitions()
    assert told["Traces of crawler"] == "24 read, 1 skipped (query_17.csv)"
    assert (told["Run logs read"], told["Run logs missing"]) == ("2", "1")


@pytest.mark.parametrize("name", ["cells", "runs", "metrics", "scorecard", "lock"])
def test_a_missing_input_is_one_line_and_leaves_no_page(study, name):
    files = study[name] if isinstance(study[name], list) else [study[name]]
    files[-1].unlink()
    with pytest.raises(HeadraceError, match="no such file") as error:
        write_front_page(**study)
    assert files[-1].name in str(error.value)
    assert "\n" not in str(error.value)
    assert not study["out"].exists()


def test_no_cell_is_refused():
    with pytest.raises(HeadraceError, match="no cell"):
        gather([], [])


def test_a_cell_that_is_no_object_is_refused(study):
    study["cells"][0].write_text("[]", encoding="utf-8")
    with pytest.raises(HeadraceError, match=r"cell\.json: is not an object"):
        write_front_page(**study)


def test_values_that_differ_are_all_named():
    assert joined(["b", None, "a", "b"]) == "a, b"
    assert joined([None]) == "not recorded"


def test_an_overloaded_cell_has_its_median_load(study):
    import polars as pl

    assert overloaded(pl.read_parquet(study["metrics"]))["offered_load"].to_list() == [1.25]


def test_the_scorecard_page_has_every_row_and_says_where_ours_come_from(study, tmp_path, read_page):
    write_scorecard_page(study["scorecard"], study["cells"], tmp_path / "scorecard.html")
    page = read_page(tmp_path / "scorecard.html")
    header, *rows = page.tables[0]
    assert header == list(COLUMNS)
    assert [row[header.index("rel_error")] for row in rows] == ["+50.0%", "-76.0%", "", ""]
    assert rows[-1][header.index("role")] == "held_out"
    assert "Ours are simulated; performance models h200-tp2.llama.silicon" in page.texts["p"][0]


def test_a_scorecard_cut_short_is_refused(study, tmp_path):
    study["scorecard"].write_text("artifact,hardware\n", encoding="utf-8")
    with pytest.raises(HeadraceError, match="misses column 'workload'"):
        write_scorecard_page(study["scorecard"], study["cells"], tmp_path / "scorecard.html")
    assert not (tmp_path / "scorecard.html").exists()
