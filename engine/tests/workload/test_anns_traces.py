import json

import pytest

from headrace.workload import read_table, read_traces
from headrace.workload.anns import read_anns_traces, read_corpus

ROWS = [("0", "250000", "(1,2,3)"), ("250000", "1000000", "(1,3)"), ("1000000", "4000000", "(1,3,2)")]


def test_is_read_as_published(anns_folder):
    folder = anns_folder(ROWS)
    (trace,) = read_anns_traces(folder)
    assert trace.query == "What is a weir?"
    assert trace.offsets_s == [0.25, 1.0, 4.0]
    assert trace.pools == [(1, 2, 3), (1, 3), (1, 3, 2)]
    assert read_corpus(folder, [trace]) == {1: "one two three", 2: "four five", 3: "six"}


def test_windows_follow_one_another_whatever_lies_between_them(anns_folder):
    rows = [("100", "2000100", "(1,)"), ("1000100", "2000100", "(2,)"), ("9000000", "9500000", "(3,)")]
    assert read_anns_traces(anns_folder(rows))[0].offsets_s == [2.0, 3.0, 3.5]


def test_tokens_by_hand(anns_folder, word_tokeniser, tmp_path):
    """Documents of 3, 2 and 1 words; the closing, Question: What is a weir? Answer:, has 9."""
    out = tmp_path / "chunks.parquet"
    read_traces("anns", anns_folder(ROWS), word_tokeniser, 2, out, progress=False)
    table = read_table(out)
    world = table.filter(table["world"] == 1)
    opening = world["prompt_tokens"][0] - 6 - 9
    assert opening > 20
    assert world["offset_s"].to_list() == [0.25, 1.0, 4.0]
    assert world["mode"].unique().to_list() == ["update"]
    assert world["prompt_tokens"].to_list() == [opening + 15, opening + 13, opening + 15]
    # Document 1 stays; then 1 and 3 stay and "four" stands where the closing began.
    assert world["common_prefix_tokens"].to_list() == [0, opening + 3, opening + 4]


def test_the_common_prefix_is_exact_to_the_token_within_documents(anns_folder, word_tokeniser, tmp_path):
    folder = anns_folder(
        [("0", "1", "(1,2)"), ("1", "2", "(1,3)"), ("2", "3", "(1,3)")],
        **{"1": "seven", "2": "one two three four", "3": "one two five"},
    )
    read_traces("anns", folder, word_tokeniser, 1, tmp_path / "x.parquet", progress=False)
    table = read_table(tmp_path / "x.parquet")
    opening = table["prompt_tokens"][0] - 5 - 9
    assert table["common_prefix_tokens"].to_list() == [0, opening + 1 + 2, table["prompt_tokens"][1]]


def test_queries_are_taken_by_id_and_lie_in_one_folder_below(anns_folder, word_tokeniser, tmp_path):
    folder = anns_folder(ROWS)
    entries = {str(i): {"query": f"q{i}", "trace_file": "a_pipeline_trace.csv"} for i in (10, 9, 100)}
    (folder / "query_trace_map_5k.json").write_text(json.dumps(entries))
    assert [trace.query for trace in read_anns_traces(tmp_path)] == ["q9", "q10", "q100"]
    counts = read_traces(
        "anns", tmp_path, word_tokeniser, 1, tmp_path / "x.parquet", progress=False, queries=2
    )
    assert (counts["traces"], counts["queries"], counts["chunks"]) == (2, 2, 6)


@pytest.mark.parametrize(("text", "pool"), [("(3,)", (3,)), ("(3)", (3,)), ("[1, 2]", (1, 2)), ("()", ())])
def test_pools_of_any_length(anns_folder, text, pool):
    assert read_anns_traces(anns_folder([("0", "1", text)]))[0].pools == [pool]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("1000000", "nan", "(1,)"), ("trace.csv: row 3, column EndTime_us", "is 'nan'")),
        (("-1", "5", "(1,)"), ("row 3, column StartTime_us", "is '-1'")),
        (("2000000", "1000000", "(1,)"), ("row 3", "ends at 1000000, before its start 2000000")),
        (("1", "5000000", "(1,)"), ("row 3", "starts at 1, before the row above")),
        (("1000000", "5000000", "(1,2"), ("row 3, column PipelinePool", "'(1,2' is no pool", "(17,4,256)")),
        (("1000000", "5000000", "(1,'2')"), ("row 3", "is no pool")),
        (("1000000", "5000000", "(1,-2)"), ("row 3", "is no pool")),
        (("1000000", "5000000", "(True,)"), ("row 3", "is no pool")),
        (("1000000", "5000000", "__import__('os')"), ("row 3", "is no pool")),
        (("1000000", "5000000", "(" * 5000), ("row 3", "(((...", "is no pool")),
        (("1000000", "5000000", ""), ("row 3", "'' is no pool")),
        (("1000000", "5000000", "(1,77)"), ("lacks 1 documents", "first 77", "document id")),
        (("1000000", "5000000"), ("row 3", "too few fields")),
    ],
)
def test_names_the_row_at_fault(anns_folder, word_tokeniser, tmp_path, refused, row, words):
    folder = anns_folder([*ROWS[:2], row])
    with refused(*words):
        read_traces("anns", folder, word_tokeniser, 1, tmp_path / "x.parquet", progress=False)
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("column", range(3))
def test_refuses_a_missing_column(anns_folder, refused, column):
    header = ["StartTime_us", "EndTime_us", "PipelinePool"]
    name = header.pop(column)
    folder = anns_folder([("0", "1")], header=header)
    with refused("a_pipeline_trace.csv", f"column '{name}' is missing"):
        read_anns_traces(folder)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"0": {"query": "q", "trace', (": line 1", "not valid JSON")),
        ("", (": line 1", "not valid JSON")),
        ("[]", ("is no JSON object",)),
        ("{}", ("has no queries",)),
        ('{"0": {"query": "q", "trace_file": "a"}, "0": {}}', ("key '0'", "is there twice")),
        ('{"1": {}, "01": {}}', ("key '01'", "is there twice")),
        ('{"one": {}}', ("key 'one'", "is no id")),
        ('{"0": {"query": "q"}}', ("key '0'", "is no {query, trace_file}")),
        ('{"0": {"query": 3, "trace_file": "a_pipeline_trace.csv"}}', ("key '0'", "give both as text")),
        ('{"0": {"query": "q", "trace_file": "../secret.csv"}}', ("'../secret.csv' leaves the folder",)),
        ('{"0": {"query": "q", "trace_file": "/etc/passwd"}}', ("'/etc/passwd' leaves the folder",)),
        ('{"0": {"query": "q", "trace_file": "b.csv"}}', ("b.csv", "no such file")),
    ],
)
def test_refuses_a_bad_map(anns_folder, refused, text, words):
    folder = anns_folder(ROWS)
    (folder / "query_trace_map_5k.json").write_text(text)
    with refused(str(folder), *words):
        read_anns_traces(folder)


def test_refuses_a_bad_corpus(anns_folder, refused):
    folder = anns_folder(ROWS)
    traces = read_anns_traces(folder)
    part = folder / "retrieved_corpus_content.part.1.json"
    part.write_text('{"2": "again"}')
    with refused(str(part), "key '2'", "in another part too"):
        read_corpus(folder, traces)
    part.write_text('{"2": ["a", "b"]}')
    (folder / "retrieved_corpus_content.part.0.json").rename(folder / "retrieved_corpus_content.part.2.json")
    with refused(str(part), "key '2'", "is no text"):
        read_corpus(folder, traces)
    part.write_bytes(b'{"9": "\xff"}')
    with refused(str(part), "can't be read"):
        read_corpus(folder, traces)
    for path in folder.glob("retrieved*"):
        path.unlink()
    with refused(str(folder), "no file retrieved_corpus_content.part.*.json"):
        read_corpus(folder, traces)


def test_refuses_folders_without_a_map(tmp_path, refused):
    with refused("absent", "no such folder"):
        read_anns_traces(tmp_path / "absent")
    with refused(str(tmp_path), "no file query_trace_map_5k.json"):
        read_anns_traces(tmp_path)
