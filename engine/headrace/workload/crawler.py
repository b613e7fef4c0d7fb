"""Crawler traces in the published format: one CSV file per query, one row per search or page."""

import re
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import HeadraceError, nearest
from headrace.workload.trace_files import locate, read_rows, read_time

PATTERN = "query_*.csv"
SEARCH, PAGE = "tavily_search", "page_scrape"


@dataclass(frozen=True, slots=True)
class CrawlerTrace:
    """One query: its text, when the search and then every page were there (s), and the pages' text."""

    query: str
    offsets_s: list[float]
    pages: list[str]


def list_crawler_traces(folder: Path) -> list[Path]:
    """The trace files query_<id>.csv in `folder` (or in the one folder below it that has any), by id.

    Raises HeadraceError for a folder without traces, a file name without a number, an id that is there
    twice.
    """
    paths: dict[int, Path] = {}
    for path in sorted(locate(folder, PATTERN).glob(PATTERN)):
        number = query_id(path)
        if other := paths.get(number):
            raise HeadraceError(path, f"has the query id of {other.name}", "give each query one file")
        paths[number] = path
    return [paths[number] for number in sorted(paths)]


def query_id(path: Path) -> int:
    """The id in the name of a trace file. Raises HeadraceError when there is none."""
    number = re.fullmatch(r"query_([0-9]+)\.csv", path.name)
    if number is None:
        raise HeadraceError(path, "has no query id in its name", "name it query_<number>.csv")
    return int(number[1])


def read_crawler_trace(path: Path) -> CrawlerTrace | None:
    """Read one trace: columns type, query, startTime, endTime (s from the query's start) and content.

    The first row is the search, the others are pages, sorted by endTime; a page comes at its endTime.
    Returns None when the file has no content column, as published for queries whose pages were PDFs
    or blocked.

    Raises HeadraceError that names the row for a time that is no number, negative, before its start or
    unsorted, an unknown type, a search that is not the first row.
    """
    rows = read_rows(path, ("type", "query", "startTime", "endTime"), optional=("content",))
    ends: list[float] = []
    for number, row in enumerate(rows, start=1):
        place = f"{path}: row {number}"
        if row["type"] not in (SEARCH, PAGE):
            raise HeadraceError(place, f"unknown type {row['type']!r}", nearest(row["type"], (SEARCH, PAGE)))
        if (row["type"] == SEARCH) != (number == 1):
            raise HeadraceError(place, f"is a {row['type']}", f"row 1 is the {SEARCH}, the others {PAGE}")
        start, end = (read_time(row, column, place) for column in ("startTime", "endTime"))
        if end < start:
            raise HeadraceError(place, f"ends at {end}, before its start {start}", "correct the times")
        if ends and end < ends[-1]:
            raise HeadraceError(place, f"ends at {end}, before the row above", "sort the rows by endTime")
        ends.append(end)
    if "content" not in rows[0]:
        return None
    return CrawlerTrace(rows[0]["query"], ends, [row["content"] for row in rows[1:]])
