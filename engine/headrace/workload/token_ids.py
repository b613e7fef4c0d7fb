"""Token ids with the prefix structure of a chunk table, so that a real engine can replay it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from headrace.errors import HeadraceError
from headrace.files import write_parquet
from headrace.workload.arrivals import generator
from headrace.workload.progress import progress_bar


def token_ids(
    table: pl.DataFrame, world: int, vocabulary: range, template_tokens: int, seed: int
) -> Iterator[tuple[int, list[np.ndarray]]]:
    """Yield (query_id, new tokens of each chunk) for every query of one world of a chunk table.

    The prompt after a chunk is the first common_prefix_tokens of the prompt before it and then the
    chunk's new tokens (int32); see `prompts`. Consecutive prompts of a query share exactly
    common_prefix_tokens. All prompts begin with the same template_tokens tokens (where the table keeps
    them); prompts of different queries share nothing beyond these. Ids come from `vocabulary`; give the
    range between a model's special tokens. The same arguments give the same ids.

    Raises HeadraceError when the world is not in the table, or the vocabulary has fewer ids than the
    world has prompts that differ right behind the template.
    """
    chunks = table.filter(pl.col("world") == world)
    if chunks.is_empty():
        raise HeadraceError("token ids", f"world {world} is not in the workload", "generate more worlds")
    rows = chunks.select("query_id", "prompt_tokens", "common_prefix_tokens").to_numpy()
    # Each prompt that is written anew from the template on gets a first token of its own.
    fresh = (rows[:, 2] <= template_tokens) & (rows[:, 1] > template_tokens)
    needed = max(int(fresh.sum()), 2)
    if needed > len(vocabulary):
        raise HeadraceError(
            "token ids",
            f"{len(vocabulary)} ids can't tell {needed} prompts apart",
            "raise the vocabulary size or use fewer queries",
        )
    shared = generator(seed, world, "token ids")
    template = shared.integers(vocabulary.start, vocabulary.stop, template_tokens, dtype=np.int32)
    first = np.zeros(len(rows), dtype=np.int32)
    first[fresh] = shared.permutation(len(vocabulary))[: fresh.sum()] + vocabulary.start
    bounds = np.flatnonzero(np.diff(rows[:, 0], prepend=-1, append=-1))
    for start, stop in itertools.pairwise(bounds):
        query_id = int(rows[start, 0])
        rng = generator(seed, world, f"token ids of query {query_id}")
        yield query_id, _chunks(rows[start:stop, 1:], first[start:stop], template, vocabulary, rng)


def prompts(chunks: list[np.ndarray], common_prefix_tokens: list[int]) -> Iterator[np.ndarray]:
    """The whole prompt after each chunk of a query, from what `token_ids` yields for it."""
    prompt = np.empty(0, dtype=np.int32)
    for new, kept in zip(chunks, common_prefix_tokens, strict=True):
        prompt = np.concatenate([prompt[:kept], new])
        yield prompt


def write_token_ids(
    table: pl.DataFrame,
    world: int,
    vocabulary: range,
    template_tokens: int,
    seed: int,
    out: Path,
    progress: bool = True,
) -> None:
    """Write one world's token ids to Parquet: world, query_id, chunk_index, token_ids (the chunk's new
    tokens, a list of int32). Raises HeadraceError as `token_ids` does."""
    queries, indices, lists = [], [], []
    total = table.filter(pl.col("world") == world)["query_id"].n_unique()
    with progress_bar("token ids", total, progress) as advance:
        for query_id, chunks in token_ids(table, world, vocabulary, template_tokens, seed):
            queries += [query_id] * len(chunks)
            indices += range(len(chunks))
            lists += [pl.Series(chunk) for chunk in chunks]
            advance()
    columns = {"query_id": queries, "chunk_index": indices}
    written = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int32)).select(
        pl.lit(world, dtype=pl.Int32).alias("world"),
        *columns,
        pl.Series("token_ids", lists, dtype=pl.List(pl.Int32)),
    )
    write_parquet(out, written)


def _chunks(
    rows: np.ndarray, first: np.ndarray, template: np.ndarray, vocabulary: range, rng: np.random.Generator
) -> list[np.ndarray]:
    """rows: prompt_tokens and common_prefix_tokens of a query's chunks; first: the token right behind
    the template, where a chunk writes it."""
    previous, chunks = np.empty(0, dtype=np.int32), []
    for (size, kept), behind in zip(rows.tolist(), first.tolist(), strict=True):
        prompt = rng.integers(vocabulary.start, vocabulary.stop, size, dtype=np.int32)
        prompt[: len(template)] = template[:size]
        if kept <= len(template) < size:
            prompt[len(template)] = behind
        prompt[:kept] = previous[:kept]
        if kept < min(len(previous), size) and prompt[kept] == previous[kept]:
            prompt[kept] = vocabulary.start + (prompt[kept] - vocabulary.start + 1) % len(vocabulary)
        chunks.append(prompt[kept:])
        previous = prompt
    return chunks
