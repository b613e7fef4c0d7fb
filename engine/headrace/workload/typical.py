"""The most typical of several draws of a workload: what world 0 replays under the published arrivals.

The published numbers are one run. Which of its few giant prompts meet which others decides its tail, and a
draw of ours may be as lucky or unlucky as any. World 0 stands for the run to be expected, so it is chosen
among several draws, by the workload alone: no published result and no model of an engine is looked at.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

TOKENS_PER_S = 70_000
"""Speed of the queue, in the order of a pair of H200. It only sets how waits compare with durations."""
CONTEXT_TOKENS = 28_000
"""Context after which a token is twice the work: attention, for a model of 8 billion parameters."""
LOADS = (0.1, 0.2, 0.4, 0.8)
PERCENTILES = (50, 95, 99)


def most_typical(draws: Sequence[pl.DataFrame], arrival_s: np.ndarray) -> pl.DataFrame:
    """The draw (chunk table of one world) whose latencies are nearest to the median over all draws.

    Latencies: P50, P95 and P99 of a single queue, first come, first served, that works off new tokens, at
    several loads, streaming and not (`_latencies`); near: in units of each one's spread over the
    draws. arrival_s (queries,): at 1 query/s.
    """
    latencies = np.log([_latencies(draw, arrival_s) for draw in draws])
    spread = latencies.std(axis=0)
    away = (latencies - np.median(latencies, axis=0)) / np.where(spread > 0, spread, 1)
    return draws[int(np.argmin((away**2).sum(axis=1)))]


def _latencies(draw: pl.DataFrame, arrival_s: np.ndarray) -> list[float]:
    """From each query's last chunk until the queue is through with it, in s."""
    columns = ("query_id", "offset_s", "prompt_tokens", "final")
    query, offset_s, prompt, final = (draw[name].to_numpy() for name in columns)
    whole_s, chunk_s = _work_s(prompt, 0), _chunk_work_s(draw)
    found = []
    for load in LOADS:
        due_s = arrival_s[query] * whole_s[final].mean() / load + offset_s
        for streaming in (True, False):
            sent = np.full(len(query), True) if streaming else final
            work_s = chunk_s if streaming else whole_s
            took_s = _queued(due_s[sent], work_s[sent])[final[sent]]
            found += np.percentile(took_s, PERCENTILES).tolist()
    return found


def _work_s(tokens: np.ndarray, context_tokens: np.ndarray | int) -> np.ndarray:
    return tokens * (1 + (context_tokens + tokens / 2) / CONTEXT_TOKENS) / TOKENS_PER_S


def _tokens_in(seconds: np.ndarray, context_tokens: np.ndarray) -> np.ndarray:
    """How many tokens take so long: the inverse of `_work_s`."""
    slope = 1 + context_tokens / CONTEXT_TOKENS
    root = np.sqrt(slope**2 + 2 * TOKENS_PER_S * seconds / CONTEXT_TOKENS)
    return CONTEXT_TOKENS * (root - slope)


def _chunk_work_s(draw: pl.DataFrame) -> np.ndarray:
    """Seconds of work at each chunk of a query that streams alone: what an update cuts off is not done."""
    columns = ("query_id", "offset_s", "prompt_tokens", "common_prefix_tokens", "final")
    query, offset_s, prompt, prefix, final = (draw[name].to_numpy() for name in columns)
    until_next_s = np.where(final, np.inf, np.diff(offset_s, append=0))
    first = np.flatnonzero(np.diff(query, prepend=-1))
    index = np.arange(len(query)) - np.repeat(first, np.diff(first, append=len(query)))
    computed, work_s = np.zeros(query.max() + 1), np.empty(len(query))
    for rows in (np.flatnonzero(index == place) for place in range(index.max() + 1)):
        kept = np.minimum(computed[query[rows]], prefix[rows])
        tokens = np.minimum(prompt[rows] - kept, _tokens_in(until_next_s[rows], kept))
        work_s[rows] = _work_s(tokens, kept)
        computed[query[rows]] = kept + tokens
    return work_s


def _queued(due_s: np.ndarray, work_s: np.ndarray) -> np.ndarray:
    """Seconds from when each piece of work is due until it is done, one after the other."""
    order = np.argsort(due_s, kind="stable")
    worked = np.cumsum(work_s[order])
    done = worked + np.maximum.accumulate(due_s[order] - (worked - work_s[order]))
    took_s = np.empty_like(due_s)
    took_s[order] = done - due_s[order]
    return took_s
