"""Anns traces in the published format: a map of queries, one CSV file per query, a corpus in parts."""

import ast
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.workload.trace_files import locate, read_object, read_rows, read_time

QUERY_MAP = "query_trace_map_5k.json"
CORPUS = "retrieved_corpus_content.part.*.json"


@dataclass(frozen=True, slots=True)
class AnnsTrace:
    """One query: its text, when each pool is sent (s from the query's start), and the pools."""

    query: str
    offsets_s: list[float]
    pools: list[tuple[int, ...]]


def read_anns_traces(folder: Path, queries: int | None = None) -> list[AnnsTrace]:
    """Read the traces of the map in `folder` (or in the one folder below it that has it), by query id;
    only the first `queries` of them if given.

    The map query_trace_map_5k.json is id -> {query, trace_file}, trace_file being relative to its
    folder. A trace has columns StartTime_us, EndTime_us and PipelinePool, such as "(17,4,256)"; its
    rows are sorted by StartTime_us. A pool is sent at the end of its window, and the windows follow one
    another: the artifact sleeps EndTime_us - StartTime_us before each.

    Raises HeadraceError that names file and row for a missing or unreadable file, a trace_file outside
    the folder, a time that is no number, negative, before its start or unsorted, a bad pool.
    """
    home = locate(folder, QUERY_MAP)
    entries = sorted(read_object(home / QUERY_MAP))[:queries]
    if not entries:
        raise HeadraceError(home / QUERY_MAP, "has no queries", "restore the file")
    return [read_anns_trace(home, number, entry) for number, entry in entries]


def read_corpus(folder: Path, traces: list[AnnsTrace]) -> dict[int, str]:
    """The text of every document in the pools of `traces`, from retrieved_corpus_content.part.*.json
    (id -> text).

    Raises HeadraceError for an unreadable part, a text that is no string, a document that is in two
    parts, and a pool with a document that is in none.
    """
    wanted = {document for trace in traces for pool in trace.pools for document in pool}
    home, texts = locate(folder, CORPUS), {}
    for part in sorted(home.glob(CORPUS)):
        for document, text in read_object(part):
            if document not in wanted:
                continue
            if not isinstance(text, str):
                raise HeadraceError(f"{part}: key '{document}'", "is no text", "give id -> text")
            if document in texts:
                raise HeadraceError(f"{part}: key '{document}'", "is in another part too", "keep one")
            texts[document] = text
    if missing := sorted(wanted - texts.keys()):
        raise HeadraceError(
            home / CORPUS,
            f"lacks {len(missing)} documents of the pools, first {missing[0]}",
            "restore the corpus or correct the document id",
        )
    return texts


def read_anns_trace(home: Path, number: int, entry: object) -> AnnsTrace:
    """The trace of one entry of the map in `home`. Raises HeadraceError as `read_anns_traces` does."""
    place = f"{home / QUERY_MAP}: key '{number}'"
    if not isinstance(entry, dict) or not all(isinstance(entry.get(k), str) for k in ("query", "trace_file")):
        raise HeadraceError(place, "is no {query, trace_file}", "give both as text")
    path = home / entry["trace_file"]
    if not path.resolve().is_relative_to(home.resolve()):
        raise HeadraceError(
            place, f"trace_file {entry['trace_file']!r} leaves the folder", f"keep it in {home}"
        )
    offsets, pools, previous, sent = [], [], 0.0, 0.0
    for row_number, row in enumerate(
        read_rows(path, ("StartTime_us", "EndTime_us", "PipelinePool")), start=1
    ):
        place = f"{path}: row {row_number}"
        start, end = (read_time(row, column, place) for column in ("StartTime_us", "EndTime_us"))
        if end < start:
            raise HeadraceError(
                place, f"ends at {end:.0f}, before its start {start:.0f}", "correct the times"
            )
        if start < previous:
            raise HeadraceError(place, f"starts at {start:.0f}, before the row above", "sort by StartTime_us")
        previous, sent = start, sent + (end - start) / 1e6
        offsets.append(sent)
        pools.append(_read_pool(row["PipelinePool"], place))
    return AnnsTrace(entry["query"], offsets, pools)


def _read_pool(text: str, place: str) -> tuple[int, ...]:
    try:
        pool = ast.literal_eval(text)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pool = None
    if isinstance(pool, int):
        pool = (pool,)
    if not isinstance(pool, (tuple, list)) or not all(type(d) is int and d >= 0 for d in pool):
        shown = text if len(text) <= 40 else text[:40] + "..."
        raise HeadraceError(
            f"{place}, column PipelinePool", f"{shown!r} is no pool", "give document ids, such as (17,4,256)"
        )
    return tuple(pool)
