"""A generated anns workload: a vector search whose pool of documents is refined; each pool replaces
the prompt."""

from dataclasses import dataclass
from typing import Annotated

import numpy as np

from headrace.workload.parameters import Correlation, Count, Share, Spread
from headrace.workload.quantiles import QuantileFunction, by_rank, correlated_scores, strata
from headrace.workload.sizes import split
from headrace.workload.timing import Chunks, draw_counts, fit_waits


@dataclass(frozen=True, slots=True)
class AnnsParameters:
    """See config/workloads/anns.yaml for unit and source of each."""

    template_tokens: Count
    query_tokens: QuantileFunction
    output_tokens: Count
    pools_per_query: QuantileFunction
    mean_pools_per_query: Spread
    total_tokens: QuantileFunction
    duration_s: QuantileFunction
    gap_s: QuantileFunction
    documents_per_pool: Count
    first_pool_share: Share
    size_skew: Spread
    kept_front_mean: Annotated[float, 0.01, 0.99]
    pool_overlap: Share
    tokens_duration_correlation: Correlation


def draw_world(
    parameters: AnnsParameters, rng: np.random.Generator, queries: int, place: str
) -> dict[str, np.ndarray]:
    """One world's columns of the chunk table (all but `world`), sorted by query and chunk.

    A query's windows are the gaps between the starts of its pools and a last one that holds the rest of
    its duration; pool j is sent at the end of window j and replaces the prompt. The last pool has the
    published sizes; the pools before it follow from it, backwards (`_earlier`).
    """
    p = parameters
    counts = draw_counts(rng, p.pools_per_query, p.mean_pools_per_query, queries, place)
    chunks = Chunks(counts)
    durations = p.duration_s.draw(rng, queries)
    gaps = rng.permutation(p.gap_s.draw(rng, len(chunks.query) - queries))
    gaps, window = fit_waits(chunks, gaps, rng.permutation(durations), durations)
    waits = np.insert(gaps, chunks.last - np.arange(queries), window)
    offsets = chunks.totals(waits)

    scores = correlated_scores(rng, offsets[chunks.last], p.tokens_duration_correlation)
    totals = by_rank(scores, np.rint(p.total_tokens.draw(rng, queries)).astype(np.int64))
    around = p.template_tokens + rng.permutation(np.rint(p.query_tokens.draw(rng, queries)).astype(np.int64))
    prompt, common = _prompts(rng, chunks, totals, around, p)
    return {
        "query_id": chunks.query,
        "chunk_index": chunks.index,
        "offset_s": np.round(offsets, 6),
        "mode": np.full(len(prompt), "update"),
        "prompt_tokens": prompt,
        "common_prefix_tokens": common,
        "final": chunks.index == counts[chunks.query] - 1,
        "output_tokens": np.full(len(prompt), p.output_tokens),
    }


def _prompts(
    rng: np.random.Generator, chunks: Chunks, totals: np.ndarray, around: np.ndarray, p: AnnsParameters
) -> tuple[np.ndarray, np.ndarray]:
    """Prompt and common prefix tokens of every chunk.

    totals: final prompt tokens of each query; around: of these, template, end template and query.
    """
    queries, width, places = len(totals), p.documents_per_pool, np.arange(p.documents_per_pool)
    weights = np.exp(p.size_skew * rng.standard_normal(queries * width))
    pools = split(totals - around, np.full(queries, width), weights).reshape(queries, width)
    grown = chunks.index / np.maximum(chunks.counts - 1, 1)[chunks.query]
    documents = np.rint(width * (p.first_pool_share + (1 - p.first_pool_share) * grown))
    kept = strata(rng, len(grown) - queries) ** ((1 - p.kept_front_mean) / p.kept_front_mean)
    kept = np.insert(rng.permutation(kept), chunks.first - np.arange(queries), 0)

    prompt, common = np.zeros((2, len(chunks.query)), dtype=np.int64)
    prompt[chunks.last] = around + pools.sum(axis=1)
    for step in range(1, int(chunks.counts.max())):
        active = np.flatnonzero(chunks.counts > step)
        later = chunks.last[active] - step + 1
        before = np.maximum(documents[later - 1], 1)
        front = places < np.floor(before * kept[later])[:, np.newaxis]
        common[later] = p.template_tokens + np.where(front, pools[active], 0).sum(axis=1)
        pools[active] = _earlier(
            rng,
            np.where(places < before[:, np.newaxis], pools[active], 0),
            front,
            totals[active] / width,
            int(p.total_tokens.maximum) - around[active],
            p,
        )
        prompt[later - 1] = around[active] + pools[active].sum(axis=1)
    return prompt, common


def _earlier(
    rng: np.random.Generator,
    pools: np.ndarray,
    front: np.ndarray,
    mean_tokens: np.ndarray,
    room_tokens: np.ndarray,
    p: AnnsParameters,
) -> np.ndarray:
    """Document sizes of the pools that came before `pools` (both: queries x places, 0 = no document).

    The documents in `front` were there already. The first one behind them was not, so the common
    prefix ends there; each further one was, with probability `pool_overlap`. The documents in their
    places had sizes of their own around `mean_tokens`, shrunk where the prompt would outgrow its room.
    """
    replaced = ~front & (pools > 0) & (rng.random(pools.shape) >= p.pool_overlap)
    replaced[np.arange(len(pools)), front.sum(axis=1)] = True
    fresh = np.exp(p.size_skew * rng.standard_normal(pools.shape) - p.size_skew**2 / 2)
    fresh = np.where(replaced, np.maximum(np.rint(fresh * mean_tokens[:, np.newaxis]), 1), 0)
    count = replaced.sum(axis=1)
    room = room_tokens - np.where(replaced, 0, pools).sum(axis=1)
    spare = np.maximum(fresh.sum(axis=1) - count, 1)
    shrink = np.minimum(1, (room - count) / spare)[:, np.newaxis]
    return np.where(replaced, 1 + np.floor((fresh - 1) * shrink), pools).astype(np.int64)
