"""headrace workload stats, make and check."""

import shutil
from pathlib import Path

import polars as pl
import pytest
import yaml

from headrace.workload import generate, read_arrivals, read_table, write_arrivals

REPOSITORY = Path(__file__).parents[3]
TRACES = REPOSITORY / "data" / "traces"


def row(text: str, statistic: str) -> list[str]:
    """The first row of that statistic, without the quantity's name."""
    fields = next(line.split() for line in text.splitlines() if statistic in line.split())
    return fields[fields.index(statistic) :]


def test_stats_stand_beside_the_published_ones(headrace):
    text = headrace("workload", "stats", "anns", "--worlds", 3).stdout
    assert "3 worlds of 500 queries; median over worlds" in text
    mean = row(text, "mean")  # of tokens per query
    assert mean[2] == "13,006" and mean[4] == "tokens"
    here = float(mean[1].replace(",", ""))
    assert mean[3] == f"{here / 13_006 - 1:+.1%}"


def test_durations_are_those_of_table_2_where_both_give_one(headrace):
    """Published: 9.219 s for the queries with content (table 2), 9.870 s for all traces (figures 8 to 10)."""
    text = headrace("workload", "stats", "crawler", "--worlds", 1, "--queries", 50).stdout
    assert row(text.split("query_duration")[1], "mean")[2] == "9.219"


def test_stats_of_a_table_by_hand(headrace, tmp_path):
    """Two queries of 30 and 50 tokens: mean 40; nothing published beside it."""
    table = pl.DataFrame(
        {
            "world": 0, "query_id": [0, 0, 1], "chunk_index": [0, 1, 0], "offset_s": [1.0, 3.0, 2.0],
            "mode": "append", "prompt_tokens": [10, 30, 50], "common_prefix_tokens": [0, 10, 0],
            "final": [False, True, True], "output_tokens": 1,
        }
    )  # fmt: skip
    table.write_parquet(tmp_path / "mine.parquet")
    text = headrace("workload", "stats", "mine.parquet").stdout
    assert row(text, "mean") == ["mean", "40", "tokens"]
    assert "published" not in text.lower()
    beside = headrace("workload", "stats", "mine.parquet", "--beside", "crawler").stdout
    assert row(beside, "mean") == ["mean", "40", "8,889", "-99.6%", "tokens"]


def test_stats_of_traces(headrace):
    text = headrace("workload", "stats", TRACES / "crawler_sample", "--tokeniser", "tekken").stdout
    assert "chunks_per_query" in text and "1 world of 24 queries." in text


def test_make_writes_what_the_workflow_writes(headrace, tmp_path):
    assert headrace("workload", "make", "anns", "--out", "w", "--queries", 30, "--worlds", 2).exit_code == 0
    parameters = yaml.safe_load((REPOSITORY / "config/workloads/anns.yaml").read_text())
    generate("anns", parameters, 2, 2604, 30, tmp_path / "chunks", 128, progress=False)
    write_arrivals(30, 2, 2604, tmp_path / "arrivals")
    assert (tmp_path / "w/anns.parquet").read_bytes() == (tmp_path / "chunks").read_bytes()
    assert (tmp_path / "w/anns.arrivals.parquet").read_bytes() == (tmp_path / "arrivals").read_bytes()
    assert read_table(tmp_path / "w/anns.parquet").height > 30
    assert read_arrivals(tmp_path / "w/anns.arrivals.parquet").height == 60


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("make", "ann", "--out", "w"), "unknown workload 'ann'; did you mean 'anns'?"),
        (("stats", "ann"), "no workload, file or folder 'ann'; did you mean 'anns'?"),
        (("stats", TRACES / "anns_sample", "--worlds", 2), "--worlds: goes with a generated workload"),
        (("stats", "anns", "--tokeniser", "tekken"), "--tokeniser: goes with a folder of traces"),
        (("stats", "anns", "--beside", "crawlr"), "unknown workload 'crawlr'; did you mean 'crawler'?"),
    ],
)
def test_a_wrong_argument_is_one_line(headrace, tmp_path, arguments, message):
    result = headrace("workload", *arguments)
    assert result.exit_code == 1 and message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_check_counts_what_is_good(headrace):
    result = headrace("workload", "check", TRACES / "crawler_sample", TRACES / "anns_sample")
    assert result.exit_code == 0 and not result.stderr
    skipped, crawler, anns = result.stdout.splitlines()
    assert skipped.endswith("query_17.csv: skipped, it has no column content")
    assert crawler.endswith("(crawler): 23 queries, 156 chunks, 1 empty pages, 1 skipped; nothing wrong")
    assert anns.endswith("(anns): 24 queries, 106 chunks; nothing wrong")


def test_check_names_every_faulty_file_and_fails(headrace, tmp_path):
    shutil.copytree(TRACES / "crawler_sample", tmp_path / "mine")
    for number, text in ((3, "page_scrape"), (8, "type,query\n")):
        (tmp_path / f"mine/query_{number}.csv").write_text(text)
    result = headrace("workload", "check", "mine", "none")
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stderr.splitlines()] == [
        "mine/query_3.csv", "mine/query_8.csv", "none",
    ]  # fmt: skip
    assert "mine (crawler): 21 queries" in result.stdout and "2 at fault" in result.stdout
