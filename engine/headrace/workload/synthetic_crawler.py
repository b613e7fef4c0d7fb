"""A generated crawler workload: a search, then pages that are appended to the prompt."""

from dataclasses import dataclass

import numpy as np

from headrace.workload.parameters import Correlation, Count, Spread
from headrace.workload.quantiles import QuantileFunction, by_rank, correlated_scores
from headrace.workload.sizes import split
from headrace.workload.timing import Chunks, by_position, draw_counts, fit_waits


@dataclass(frozen=True, slots=True)
class CrawlerParameters:
    """See config/workloads/crawler.yaml for unit and source of each."""

    template_tokens: Count
    query_tokens: QuantileFunction
    output_tokens: Count
    chunks_per_query: QuantileFunction
    mean_chunks_per_query: Spread
    total_tokens: QuantileFunction
    duration_s: QuantileFunction
    gap_s: QuantileFunction
    search_s: QuantileFunction
    size_skew: Spread
    most_page_tokens: Count
    gap_position_correlation: Correlation
    size_gap_correlation: Correlation
    tokens_duration_correlation: Correlation


def draw_world(
    parameters: CrawlerParameters, rng: np.random.Generator, queries: int, place: str
) -> dict[str, np.ndarray]:
    """One world's columns of the chunk table (all but `world`), sorted by query and chunk.

    Chunk 0 opens the stream with the template when the search is done; each further chunk is a page;
    the last one also carries the end template and the query. A query that found no page is one chunk.
    """
    p = parameters
    counts = draw_counts(rng, p.chunks_per_query, p.mean_chunks_per_query, queries, place)
    chunks = Chunks(counts)
    gaps = rng.permutation(p.gap_s.draw(rng, len(chunks.query) - queries))
    gaps, search = fit_waits(
        chunks, gaps, rng.permutation(p.search_s.draw(rng, queries)), p.duration_s.draw(rng, queries)
    )
    gaps = by_position(rng, chunks, gaps, p.gap_position_correlation)
    waits = np.insert(gaps, chunks.first - np.arange(queries), search)
    durations = chunks.totals(waits)[chunks.last]

    scores = correlated_scores(rng, durations, p.tokens_duration_correlation)
    totals = by_rank(scores, np.rint(p.total_tokens.draw(rng, queries)).astype(np.int64))
    query = rng.permutation(np.rint(p.query_tokens.draw(rng, queries)).astype(np.int64))
    tokens = np.empty(len(chunks.query), dtype=np.int64)
    pages = np.delete(np.arange(len(tokens)), chunks.first)
    weights = np.exp(p.size_skew * correlated_scores(rng, gaps, p.size_gap_correlation))
    tokens[pages] = split(totals - p.template_tokens - query, counts - 1, weights, p.most_page_tokens)
    tokens[chunks.first] = p.template_tokens
    tokens[chunks.last] += query
    prompt = chunks.totals(tokens)
    return {
        "query_id": chunks.query,
        "chunk_index": chunks.index,
        "offset_s": np.round(chunks.totals(waits), 6),
        "mode": np.full(len(tokens), "append"),
        "prompt_tokens": prompt,
        "common_prefix_tokens": prompt - tokens,
        "final": chunks.index == counts[chunks.query] - 1,
        "output_tokens": np.full(len(tokens), p.output_tokens),
    }
