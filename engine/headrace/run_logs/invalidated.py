"""Tokens that updates invalidated, per query: collected_outputs_streaming.json beside a log."""

import re
from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError
from headrace.files import read_json
from headrace.run_logs.events import LARGEST, WHOLE

FILE = "collected_outputs_streaming.json"


def invalidated_tokens(folder: Path, queries: pl.Series) -> pl.DataFrame:
    """query, invalidated_tokens for all `queries` (ids, as text).

    Raises HeadraceError when the file is missing or cut short, is no list of objects with query_id and
    num_tokens_invalidated (a whole number from 0), gives a query twice, or does not give one of `queries`.
    """
    file = folder / FILE
    entries = read_json(file)
    if not isinstance(entries, list):
        raise HeadraceError(file, "is no JSON list", "expected a list of objects, one per query")
    found: dict[str, int] = {}
    for number, entry in enumerate(entries, start=1):
        tokens = entry.get("num_tokens_invalidated") if isinstance(entry, dict) else None
        if type(tokens) is not int or not 0 <= tokens <= LARGEST or "query_id" not in entry:
            remedy = "expected query_id, and num_tokens_invalidated as a whole number from 0"
            raise HeadraceError(f"{file}: entry {number}", "is not as published", remedy)
        query = re.sub(WHOLE, r"\1", str(entry["query_id"]))
        if query in found:
            raise HeadraceError(
                f"{file}: entry {number}", f"query {query} is there twice", "give each query once"
            )
        found[query] = tokens
    missing = [query for query in queries if query not in found]
    if missing:
        problem = f"{len(missing)} of {len(queries)} queries are missing, query {missing[0]} for one"
        raise HeadraceError(file, problem, "restore the file")
    return pl.DataFrame({"query": list(found), "invalidated_tokens": list(found.values())})
