"""The most typical of several draws of a workload: what world 0 replays under the published arrivals.

The published numbers are one run. Which of its few giant prompts meet which others decides its tail, and a
draw of ours may be as lucky or unlucky as any. World 0 stands for the run to be expected, so it is chosen
among several draws, by the workload alone: no published result and no model of an engine is looked at.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

TOKENS_PER_S = 50_000
"""Speed of the queue, in the order of a pair of H200. It only sets how waits compare with durations."""
LOADS = (0.1, 0.2, 0.4, 0.7)
PERCENTILES = (50, 95, 99)


def most_typical(draws: Sequence[pl.DataFrame], arrival_s: np.ndarray) -> pl.DataFrame:
    """The draw (chunk table of one world) whose latencies are nearest to the median over all draws.

    Latencies: P50, P95 and P99 of a single queue, first come, first served, that works off new tokens one
    by one, at several loads, streaming and not (`_latencies`); near: in units of each one's spread over the
    draws. arrival_s (queries,): at 1 query/s.
    """
    latencies = np.log([_latencies(draw, arrival_s) for draw in draws])
    spread = latencies.std(axis=0)
    away = (latencies - np.median(latencies, axis=0)) / np.where(spread > 0, spread, 1)
    return draws[int(np.argmin((away**2).sum(axis=1)))]


def _latencies(draw: pl.DataFrame, arrival_s: np.ndarray) -> list[float]:
    """From each query's last chunk until the queue is through with it, in s."""
    columns = ("query_id", "offset_s", "prompt_tokens", "common_prefix_tokens", "final")
    query, offset_s, prompt, prefix, final = (draw[name].to_numpy() for name in columns)
    found = []
    busy_s = prompt[final].mean() / TOKENS_PER_S  # per query
    for load in LOADS:
        due_s = arrival_s[query] * busy_s / load + offset_s
        for streaming in (True, False):
            sent = np.full(len(query), True) if streaming else final
            tokens = np.maximum(prompt - prefix, 1) if streaming else prompt
            took_s = _queued(due_s[sent], tokens[sent] / TOKENS_PER_S)[final[sent]]
            found += np.percentile(took_s, PERCENTILES).tolist()
    return found


def _queued(due_s: np.ndarray, work_s: np.ndarray) -> np.ndarray:
    """Seconds from when each piece of work is due until it is done, one after the other."""
    order = np.argsort(due_s, kind="stable")
    worked = np.cumsum(work_s[order])
    done = worked + np.maximum.accumulate(due_s[order] - (worked - work_s[order]))
    took_s = np.empty_like(due_s)
    took_s[order] = done - due_s[order]
    return took_s
