"""Traces and tables of one's own, looked through to the end: everything that is wrong, and what is good."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError
from headrace.workload.anns import CORPUS, QUERY_MAP, AnnsTrace, read_anns_trace
from headrace.workload.arrivals import read_arrivals
from headrace.workload.crawler import PATTERN, query_id, read_crawler_trace
from headrace.workload.table import read_parquet, read_table
from headrace.workload.trace_files import locate, read_object

FOLDERS = {"crawler": PATTERN, "anns": QUERY_MAP}


@dataclass(slots=True)
class Checked:
    """What a path holds: its kind, counts of the good, what is skipped and why, an error per faulty file."""

    path: Path
    kind: str = "unknown"
    counts: dict[str, int] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    problems: list[HeadraceError] = field(default_factory=list)

    @contextmanager
    def faults(self) -> Iterator[None]:
        """A HeadraceError inside is noted and ends the block."""
        try:
            yield
        except HeadraceError as error:
            self.problems.append(error)

    def skip(self, path: Path, why: str) -> None:
        """A file that is no fault and takes no part."""
        self.skipped.append(f"{path}: skipped, {why}")
        self.count(skipped=1)

    def count(self, **more: int) -> None:
        for what, number in more.items():
            self.counts[what] = self.counts.get(what, 0) + number


def check(path: Path) -> Checked:
    """Look through a folder of traces in a published format, a chunk table or an arrivals table.

    What it is, is seen from the files or columns in it. A folder's files are all read; each faulty one
    is named with its first fault. Nothing is tokenised. Raises nothing for what is wrong in the files.
    """
    found = Checked(path)
    with found.faults():
        found.kind = kind_of(path)
        {"crawler": _crawler, "anns": _anns, "chunk table": _chunks, "arrivals": _arrivals}[found.kind](found)
    return found


def kind_of(path: Path) -> str:
    """crawler | anns (folders of traces) | chunk table | arrivals (Parquet).

    Raises HeadraceError for a path that is none of these, or a folder that holds both.
    """
    if path.is_dir():
        kinds = [kind for kind, pattern in FOLDERS.items() if next(path.rglob(pattern), None)]
        if len(kinds) != 1:
            problem = "holds crawler and anns traces" if kinds else "holds no traces in a published format"
            remedy = "one folder per workload" if kinds else f"{PATTERN} (crawler), or {QUERY_MAP} (anns)"
            raise HeadraceError(path, problem, remedy)
        return kinds[0]
    if not path.is_file():
        raise HeadraceError(path, "no such file or folder", "check the path")
    if path.suffix != ".parquet":
        raise HeadraceError(path, "is no folder of traces and no .parquet file", "name one of these")
    columns = read_parquet(path).columns
    for column, kind in (("chunk_index", "chunk table"), ("arrival_s", "arrivals")):
        if column in columns:
            return kind
    remedy = "a chunk table has chunk_index, an arrivals table has arrival_s"
    raise HeadraceError(path, f"is no workload: columns {', '.join(columns)}", remedy)


def _crawler(found: Checked) -> None:
    seen: dict[int, Path] = {}
    for path in sorted(locate(found.path, PATTERN).glob(PATTERN)):
        with found.faults():
            other = seen.setdefault(query_id(path), path)
            if other != path:
                raise HeadraceError(path, f"has the query id of {other.name}", "give each query one file")
            trace = read_crawler_trace(path)
            if trace is None:
                found.skip(path, "it has no column content")
            else:
                empty = sum(not page for page in trace.pages)
                found.count(queries=1, chunks=len(trace.offsets_s), empty_pages=empty)


def _anns(found: Checked) -> None:
    home = locate(found.path, QUERY_MAP)
    documents = _documents(found, home)
    named = set()
    for number, entry in sorted(read_object(home / QUERY_MAP)):
        if isinstance(entry, dict):
            named.add((home / str(entry.get("trace_file"))).resolve())
        with found.faults():
            trace = read_anns_trace(home, number, entry)
            if documents is not None:
                _check_documents(trace, documents, home / entry["trace_file"])
            found.count(queries=1, chunks=len(trace.pools))
    for path in sorted(home.rglob("*.csv")):
        if path.resolve() not in named:
            found.skip(path, f"{QUERY_MAP} does not name it")


def _documents(found: Checked, home: Path) -> set[int] | None:
    """The documents of the corpus; None where a part of it can't be read."""
    whole, documents = True, set()
    with found.faults():
        for part in sorted(locate(home, CORPUS).glob(CORPUS)):
            before = len(found.problems)
            with found.faults():
                for document, text in read_object(part):
                    place = f"{part}: key '{document}'"
                    if not isinstance(text, str):
                        raise HeadraceError(place, "is no text", "give id -> text")
                    if document in documents:
                        raise HeadraceError(place, "is in another part too", "keep one")
                    documents.add(document)
            whole &= len(found.problems) == before
        return documents if whole else None
    return None


def _check_documents(trace: AnnsTrace, documents: set[int], path: Path) -> None:
    for row, pool in enumerate(trace.pools, start=1):
        if missing := [document for document in pool if document not in documents]:
            raise HeadraceError(
                f"{path}: row {row}, column PipelinePool",
                f"document {missing[0]} is not in the corpus",
                "add its text to the corpus or correct the id",
            )


def _chunks(found: Checked) -> None:
    table = read_table(found.path)
    queries = table.select(pl.struct("world", "query_id").n_unique()).item()
    found.count(worlds=table["world"].n_unique(), queries=queries, chunks=table.height)


def _arrivals(found: Checked) -> None:
    table = read_arrivals(found.path)
    found.count(worlds=table["world"].n_unique(), arrivals=table.height)
