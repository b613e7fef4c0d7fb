"""Traces in the published formats, tokenised into a chunk table."""

import functools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

from headrace.errors import HeadraceError, nearest
from headrace.workload.anns import read_anns_traces, read_corpus
from headrace.workload.crawler import list_crawler_traces, read_crawler_trace
from headrace.workload.progress import progress_bar
from headrace.workload.table import write_table
from headrace.workload.template import OPENING, closing
from headrace.workload.tokenise import Tokeniser, load_tokeniser

OUTPUT_TOKENS = 1
Item, Result = TypeVar("Item"), TypeVar("Result")


def read_traces(
    name: str,
    folder: Path,
    tokeniser: dict,
    worlds: int,
    out: Path,
    progress: bool = True,
    threads: int = 2,
    queries: int | None = None,
) -> dict:
    """Tokenise the traces in `folder` and write their chunk table, the same in every world, to `out`.

    name: crawler | anns. tokeniser: see `load_tokeniser`. queries: read only the first so many traces,
    by id. Queries are numbered from 0 in the order of their ids; one that is skipped keeps its number,
    and so its arrival: as many arrivals were published as there are traces. threads: how many texts are
    tokenised at a time (tokenisers leave Python's lock while they work).

    Every piece of a prompt is tokenised by itself: opening, page or document (each with a line feed
    after it), closing with the query. So an append never changes earlier tokens, and pools with the
    same documents in front share exactly their tokens. The common prefix of an update is that of the
    two token sequences. One token is sampled per query, as in the published replay.

    Returns counts: workload, traces, queries (read), chunks, empty_pages, skipped (names of crawler
    traces without content, which are left out) and the tokeniser. Raises HeadraceError for anything
    wrong in the traces, before anything is written.
    """
    readers = {"crawler": _read_crawler, "anns": _read_anns}
    if name not in readers:
        raise HeadraceError("workload", f"unknown workload {name!r}", nearest(name, readers))
    if worlds < 1 or threads < 1 or (queries is not None and queries < 1):
        raise HeadraceError(
            f"workload {name}", "worlds, threads or queries below 1", "ask for at least one of each"
        )
    tokens = load_tokeniser(tokeniser)
    work = functools.partial(_ordered, threads=threads, title=f"tokenise {name}", shown=progress)
    prompts, counts = readers[name](Path(folder), queries, tokens, work)
    rows = [(number, *row) for number, prompt in enumerate(prompts) for row in prompt or ()]
    columns = (
        "query_id",
        "chunk_index",
        "offset_s",
        "mode",
        "prompt_tokens",
        "common_prefix_tokens",
        "final",
    )
    table = pl.DataFrame(rows, schema=columns, orient="row").with_columns(output_tokens=pl.lit(OUTPUT_TOKENS))
    write_table(pl.concat(table.with_columns(world=pl.lit(world)) for world in range(worlds)), out)
    return {
        "workload": name,
        "traces": len(prompts),
        "queries": sum(prompt is not None for prompt in prompts),
        "chunks": len(rows),
        "empty_pages": 0,
        "skipped": [],
        "tokeniser": tokeniser,
        **counts,
    }


def _read_crawler(
    folder: Path, queries: int | None, tokens: Tokeniser, work: Callable
) -> tuple[list[list[tuple] | None], dict]:
    opening = len(tokens.beginning) + len(tokens.encode([OPENING])[0])

    def read(path: Path) -> tuple[list[tuple], int] | None:
        trace = read_crawler_trace(path)
        if trace is None:
            return None
        texts = [*(page + "\n" for page in trace.pages), closing(trace.query)]
        *pages, end = map(len, tokens.encode(texts))
        sizes = [opening, *pages]
        sizes[-1] += end
        prompts = np.cumsum(sizes).tolist()
        kept = [0, *prompts[:-1]]
        return _rows("append", trace.offsets_s, prompts, kept), sum(not page for page in trace.pages)

    paths = list_crawler_traces(folder)[:queries]
    found = list(work(read, paths))
    there = [result for result in found if result is not None]
    if not there:
        raise HeadraceError(folder, f"none of its {len(paths)} traces has content", "check the traces")
    return [result and result[0] for result in found], {
        "empty_pages": sum(empty for _, empty in there),
        "skipped": [path.name for path, result in zip(paths, found, strict=True) if result is None],
    }


def _read_anns(
    folder: Path, queries: int | None, tokens: Tokeniser, work: Callable
) -> tuple[list[list[tuple] | None], dict]:
    def encode(text: str) -> np.ndarray:
        return np.array(tokens.encode([text])[0], dtype=np.int32)

    traces = read_anns_traces(folder, queries)
    corpus = read_corpus(folder, traces)
    texts = [text + "\n" for text in corpus.values()]
    documents = dict(zip(corpus, work(encode, texts), strict=True))
    opening = np.array(tokens.beginning + tokens.encode([OPENING])[0], dtype=np.int32)
    prompts = []
    for trace in traces:
        end, previous, sizes, kept = encode(closing(trace.query)), opening[:0], [], []
        for pool in trace.pools:
            prompt = np.concatenate([opening, *(documents[document] for document in pool), end])
            sizes.append(len(prompt))
            kept.append(common_prefix(previous, prompt))
            previous = prompt
        prompts.append(_rows("update", trace.offsets_s, sizes, kept))
    return prompts, {}


def common_prefix(left: np.ndarray, right: np.ndarray) -> int:
    """How many tokens two prompts share from the front."""
    shorter = min(len(left), len(right))
    different = np.flatnonzero(left[:shorter] != right[:shorter])
    return int(different[0]) if len(different) else shorter


def _rows(mode: str, offsets_s: list[float], prompts: list[int], kept: list[int]) -> list[tuple]:
    last = len(prompts) - 1
    return [
        (index, offset_s, mode, prompt, prefix, index == last)
        for index, (offset_s, prompt, prefix) in enumerate(zip(offsets_s, prompts, kept, strict=True))
    ]


def _ordered(
    function: Callable[[Item], Result], items: Iterable[Item], threads: int, title: str, shown: bool
) -> Iterator[Result]:
    """function(item) of every item, in order; the first failure in that order stops the rest."""
    items = list(items)
    with ThreadPoolExecutor(threads) as pool, progress_bar(title, len(items), shown) as advance:
        try:
            for result in pool.map(function, items):
                advance()
                yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
