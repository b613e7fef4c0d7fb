import json

import polars as pl
import pytest

from headrace.workload import write_arrivals
from headrace.workload.check import check

SEARCH = ("tavily_search", "What is a weir?", "0.0", "1.5", "")
PAGE = ("page_scrape", "What is a weir?", "1.5", "2.5", "one two")


def lines(found) -> list[str]:
    return [str(problem) for problem in found.problems]


def test_every_faulty_crawler_file_is_named_and_the_others_are_counted(crawler_folder):
    folder = crawler_folder([SEARCH, PAGE])
    crawler_folder([SEARCH, PAGE, PAGE], name="query_2.csv")
    crawler_folder(
        [SEARCH[:-1], PAGE[:-1]], header=("type", "query", "startTime", "endTime"), name="query_3.csv"
    )
    crawler_folder([SEARCH, ("page_scrape", "q", "3", "2", "")], name="query_4.csv")
    crawler_folder([PAGE], name="query_5.csv")
    crawler_folder([SEARCH], name="query_x.csv")
    crawler_folder([SEARCH], name="query_02.csv")
    found = check(folder)
    assert found.kind == "crawler"
    assert found.counts == {"queries": 2, "chunks": 3, "empty_pages": 0, "skipped": 1}
    named = [(problem.place.rpartition("/")[2], problem.problem) for problem in found.problems]
    assert named == [
        ("query_2.csv", "has the query id of query_02.csv"),
        ("query_4.csv: row 2", "ends at 2.0, before its start 3.0"),
        ("query_5.csv: row 1", "is a page_scrape"),
        ("query_x.csv", "has no query id in its name"),
    ]


def test_every_faulty_anns_file_is_named(anns_folder):
    folder = anns_folder([(0, 10, "(1,2)"), (10, 30, "(2,3)")])
    good = (folder / "a_pipeline_trace.csv").read_text()
    entries = {"0": {"query": "q", "trace_file": "a_pipeline_trace.csv"}}
    for number, text in (
        (1, good.replace("(2,3)", "(2,9)")),
        (2, good.replace("30", "soon")),
        (3, good),
        (4, good.replace("10,30", "5,1")),
    ):
        (folder / f"{number}.csv").write_text(text)
        entries[str(number)] = {"query": "q", "trace_file": f"{number}.csv"}
    (folder / "unnamed.csv").write_text(good)
    entries |= {"5": {"query": "q", "trace_file": "../elsewhere.csv"}, "6": {"query": "q"}}
    (folder / "query_trace_map_5k.json").write_text(json.dumps(entries))
    found = check(folder)
    assert found.kind == "anns"
    assert found.counts == {"queries": 2, "chunks": 4, "skipped": 1}
    problems = [problem.problem for problem in found.problems]
    assert problems == [
        "document 9 is not in the corpus",
        "is 'soon'",
        "ends at 1, before its start 5",
        "trace_file '../elsewhere.csv' leaves the folder",
        "is no {query, trace_file}",
    ]
    assert found.problems[0].place.endswith("1.csv: row 2, column PipelinePool")


def test_every_faulty_part_of_a_corpus_is_named_once(anns_folder):
    folder = anns_folder([(0, 10, "(1,2)")])
    (folder / "retrieved_corpus_content.part.1.json").write_text('{"1": "again"}')
    (folder / "retrieved_corpus_content.part.2.json").write_text('{"4": 5}')
    (folder / "retrieved_corpus_content.part.3.json").write_text('{"6": "cut')
    found = check(folder)
    places = [problem.place.rpartition("/")[2] for problem in found.problems]
    assert places == [
        "retrieved_corpus_content.part.1.json: key '1'",
        "retrieved_corpus_content.part.2.json: key '4'",
        "retrieved_corpus_content.part.3.json: line 1",
    ]
    assert found.counts["queries"] == 1  # the trace itself is whole


def test_anns_traces_without_corpus_or_with_a_broken_map(anns_folder):
    folder = anns_folder([(0, 10, "(1,2)")])
    (folder / "retrieved_corpus_content.part.0.json").unlink()
    assert ["no file retrieved_corpus_content" in line for line in lines(check(folder))] == [True]
    (folder / "query_trace_map_5k.json").write_text('{"0": ')
    assert any("not valid JSON" in line for line in lines(check(folder)))


def test_tables_are_told_by_their_columns(tmp_path):
    write_arrivals(3, 2, 1, tmp_path / "arrivals.parquet")
    found = check(tmp_path / "arrivals.parquet")
    assert (found.kind, found.counts, found.problems) == ("arrivals", {"worlds": 2, "arrivals": 6}, [])
    pl.read_parquet(tmp_path / "arrivals.parquet").reverse().write_parquet(tmp_path / "back.parquet")
    (problem,) = lines(check(tmp_path / "back.parquet"))
    assert "back.parquet: row 3 (world 0" in problem and "out of order" in problem
    pl.DataFrame({"chunk_index": [0]}).write_parquet(tmp_path / "chunks.parquet")
    (problem,) = lines(check(tmp_path / "chunks.parquet"))
    assert "chunks.parquet: column 'world' is missing" in problem


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.mkdir(), "holds no traces in a published format; query_*.csv (crawler), or"),
        (lambda path: None, "no such file or folder"),
        (lambda path: path.write_text(""), "is no folder of traces and no .parquet file"),
    ],
)
def test_what_is_no_workload_is_said(tmp_path, make, message):
    make(tmp_path / "x")
    found = check(tmp_path / "x")
    (problem,) = lines(found)
    assert message in problem and found.kind == "unknown" and not found.counts


def test_other_parquet_files_and_broken_ones(tmp_path):
    pl.DataFrame({"ttft_s": [1.0]}).write_parquet(tmp_path / "other.parquet")
    (problem,) = lines(check(tmp_path / "other.parquet"))
    assert "is no workload: columns ttft_s; a chunk table has chunk_index" in problem
    (tmp_path / "cut.parquet").write_bytes(b"PAR1")
    (problem,) = lines(check(tmp_path / "cut.parquet"))
    assert "is no readable Parquet file" in problem


def test_a_folder_with_both_kinds_is_ambiguous(crawler_folder, anns_folder, tmp_path):
    crawler_folder([SEARCH, PAGE])
    anns_folder([(0, 10, "(1,2)")])
    (problem,) = lines(check(tmp_path))
    assert "holds crawler and anns traces; one folder per workload" in problem
