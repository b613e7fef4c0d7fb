import pytest

from headrace.workload import read_table, read_traces
from headrace.workload.crawler import list_crawler_traces, read_crawler_trace

HEADER = ("type", "query", "startTime", "endTime", "content")
SEARCH = ("tavily_search", "two", "0.0", "1.5", "")
FIRST = ("page_scrape", "two", "1.5", "2.0", "one two\nthree")
SECOND = ("page_scrape", "two", "1.6", "4.0", "four, five")


def test_is_read_as_published(crawler_folder):
    trace = read_crawler_trace(crawler_folder([SEARCH, FIRST, SECOND]) / "query_0.csv")
    assert trace.query == "two"
    assert trace.offsets_s == [1.5, 2.0, 4.0]
    assert trace.pages == ["one two\nthree", "four, five"]


def test_tokens_by_hand(crawler_folder, word_tokeniser, tmp_path):
    """Words and signs are tokens; the closing, Question: two Answer:, has 5."""
    out = tmp_path / "chunks.parquet"
    counts = read_traces(
        "crawler", crawler_folder([SEARCH, FIRST, SECOND]), word_tokeniser, 2, out, progress=False
    )
    table = read_table(out)
    assert table["world"].to_list() == [0, 0, 0, 1, 1, 1]
    world = table.filter(table["world"] == 0)
    opening = world["prompt_tokens"][0]
    assert world["offset_s"].to_list() == [1.5, 2.0, 4.0]
    assert world["mode"].unique().to_list() == ["append"]
    assert world["prompt_tokens"].to_list() == [opening, opening + 3, opening + 3 + 3 + 5]
    assert world["common_prefix_tokens"].to_list() == [0, opening, opening + 3]
    assert world["final"].to_list() == [False, False, True]
    assert world["output_tokens"].to_list() == [1, 1, 1]
    assert table.filter(table["world"] == 1).drop("world").equals(world.drop("world"))
    assert counts == {
        "workload": "crawler",
        "traces": 1,
        "queries": 1,
        "chunks": 3,
        "empty_pages": 0,
        "skipped": [],
        "tokeniser": word_tokeniser,
    }


def test_traces_without_content_are_skipped_counted_and_keep_their_number(
    crawler_folder, word_tokeniser, tmp_path
):
    out = tmp_path / "chunks.parquet"
    crawler_folder([SEARCH, FIRST], name="query_7.csv")
    crawler_folder([SEARCH[:-1], FIRST[:-1]], header=HEADER[:-1], name="query_12.csv")
    folder = crawler_folder([SEARCH, (*FIRST[:-1], "")], name="query_100.csv")
    counts = read_traces("crawler", folder, word_tokeniser, 1, out, progress=False)
    assert read_table(out)["query_id"].unique().to_list() == [0, 2]
    assert counts["skipped"] == ["query_12.csv"]
    assert (counts["traces"], counts["queries"], counts["empty_pages"]) == (3, 2, 1)
    counts = read_traces("crawler", folder, word_tokeniser, 1, out, progress=False, queries=1)
    assert (counts["traces"], counts["chunks"]) == (1, 2)


def test_a_search_without_pages_is_one_chunk(crawler_folder, word_tokeniser, tmp_path):
    read_traces(
        "crawler", crawler_folder([SEARCH]), word_tokeniser, 1, tmp_path / "x.parquet", progress=False
    )
    assert read_table(tmp_path / "x.parquet").select("chunk_index", "final").rows() == [(0, True)]


def test_a_page_may_be_longer_than_the_csv_modules_limit(crawler_folder):
    page = "one " * 100_000
    trace = read_crawler_trace(crawler_folder([SEARCH, (*FIRST[:-1], page)]) / "query_0.csv")
    assert trace.pages == [page]


def test_a_byte_order_mark_is_no_part_of_the_first_column(crawler_folder):
    path = crawler_folder([SEARCH, FIRST]) / "query_0.csv"
    plain = read_crawler_trace(path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_crawler_trace(path) == plain


def test_traces_may_lie_in_one_folder_below(crawler_folder):
    folder = crawler_folder([SEARCH, FIRST])
    assert list_crawler_traces(folder.parent) == [folder / "query_0.csv"]


def bad(column: str, value: str, row: tuple = SECOND) -> list[tuple]:
    changed = list(row)
    changed[HEADER.index(column)] = value
    return [SEARCH, FIRST, tuple(changed)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (bad("endTime", "nan"), ("query_0.csv: row 3, column endTime", "is 'nan'")),
        (bad("endTime", "soon"), ("row 3, column endTime", "is 'soon'")),
        (bad("endTime", "inf"), ("row 3, column endTime", "is 'inf'")),
        (bad("startTime", "-0.5"), ("row 3, column startTime", "is '-0.5'")),
        (bad("startTime", ""), ("row 3, column startTime", "is ''")),
        (bad("startTime", "4.5"), ("row 3", "ends at 4.0, before its start 4.5")),
        (bad("endTime", "1.7"), ("row 3", "before the row above", "sort the rows by endTime")),
        (bad("type", "page_scrap"), ("row 3", "unknown type 'page_scrap'", "did you mean 'page_scrape'?")),
        (bad("type", "tavily_search"), ("row 3", "row 1 is the tavily_search")),
        ([FIRST, SECOND], ("row 1", "is a page_scrape")),
        ([SEARCH, FIRST[:-1]], ("row 2", "too few fields")),
        ([SEARCH, (*FIRST, "more")], ("row 2", "too many")),
        ([], ("query_0.csv", "has no rows")),
    ],
)
def test_names_the_row_at_fault(crawler_folder, word_tokeniser, tmp_path, refused, rows, words):
    folder = crawler_folder(rows)
    with refused(*words):
        read_traces("crawler", folder, word_tokeniser, 1, tmp_path / "x.parquet", progress=False)
    assert not (tmp_path / "x.parquet").exists()


@pytest.mark.parametrize("column", range(4))
def test_refuses_a_missing_column(crawler_folder, refused, column):
    def cut(row: tuple) -> tuple:
        return row[:column] + row[column + 1 :]

    folder = crawler_folder([cut(SEARCH), cut(FIRST)], header=cut(HEADER))
    with refused("query_0.csv", f"column '{HEADER[column]}' is missing", "type, query, startTime, endTime"):
        read_crawler_trace(folder / "query_0.csv")


def test_refuses_files_that_are_empty_unreadable_or_cut_short(crawler_folder, refused):
    folder = crawler_folder([SEARCH])
    path = folder / "query_0.csv"
    path.write_bytes(b"")
    with refused(str(path), "has no rows"):
        read_crawler_trace(path)
    path.write_bytes(b"type,query\n\xff\xfe")
    with refused(str(path), "can't be read"):
        read_crawler_trace(path)
    path.write_text(",".join(HEADER) + '\npage_scrape,two,1,2,"one two')
    with refused(f"{path}: row 1", "not valid CSV"):
        read_crawler_trace(path)
    path.unlink()
    with refused(str(path), "no such file"):
        read_crawler_trace(path)
    path.mkdir()
    with refused(str(path), "can't be read"):
        read_crawler_trace(path)


def test_refuses_folders_without_traces(crawler_folder, tmp_path, refused):
    with refused("absent", "no such folder"):
        list_crawler_traces(tmp_path / "absent")
    folder = crawler_folder([SEARCH], name="notes.csv")
    with refused(str(folder), "no file query_*.csv"):
        list_crawler_traces(folder)
    crawler_folder([SEARCH], name="query_1.csv")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "query_1.csv").write_text("")
    with refused(str(tmp_path), "in 2 folders"):
        list_crawler_traces(tmp_path)


def test_refuses_bad_and_doubled_query_ids(crawler_folder, refused):
    crawler_folder([SEARCH], name="query_1.csv")
    folder = crawler_folder([SEARCH], name="query_01.csv")
    with refused("has the query id of query_01.csv", "one file"):
        list_crawler_traces(folder)
    (folder / "query_01.csv").rename(folder / "query_one.csv")
    with refused("query_one.csv", "no query id"):
        list_crawler_traces(folder)


def test_refuses_traces_of_which_none_has_content(crawler_folder, word_tokeniser, tmp_path, refused):
    folder = crawler_folder([SEARCH[:-1], FIRST[:-1]], header=HEADER[:-1])
    with refused(str(folder), "none of its 1 traces has content"):
        read_traces("crawler", folder, word_tokeniser, 1, tmp_path / "x.parquet", progress=False)


def test_refuses_unknown_workloads_and_no_worlds(crawler_folder, word_tokeniser, tmp_path, refused):
    folder = crawler_folder([SEARCH, FIRST])
    with refused("unknown workload 'ann'", "did you mean 'anns'?"):
        read_traces("ann", folder, word_tokeniser, 1, tmp_path / "x.parquet", progress=False)
    with refused("workload crawler", "below 1"):
        read_traces("crawler", folder, word_tokeniser, 0, tmp_path / "x.parquet", progress=False)
