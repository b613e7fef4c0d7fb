"""Chunks of a world's queries, and waits that add up to the queries' durations."""

import numpy as np

from headrace.errors import HeadraceError
from headrace.workload.quantiles import QuantileFunction, by_rank, correlated_with

ROUNDS = 6


class Chunks:
    """The chunks of all queries of a world, one after the other.

    query: index of each chunk's query; index: its place in the query; first, last: positions of every
    query's first and last chunk.
    """

    __slots__ = ("counts", "first", "index", "last", "query")

    def __init__(self, counts: np.ndarray):
        self.counts = counts
        self.last = np.cumsum(counts) - 1
        self.first = self.last - counts + 1
        self.query = np.repeat(np.arange(len(counts)), counts)
        self.index = np.arange(len(self.query)) - self.first[self.query]

    def totals(self, values: np.ndarray) -> np.ndarray:
        """Running total of `values` (one per chunk) within each query."""
        totals = np.cumsum(values)
        return totals - (totals - values)[self.first][self.query]


def draw_counts(
    rng: np.random.Generator, quantiles: QuantileFunction, mean: float, n: int, place: str
) -> np.ndarray:
    """n counts in random order, drawn by stratified quantiles, then moved by 1 at random places until
    they add up to `mean` * n.

    Raises HeadraceError when the quantiles' bounds are no whole numbers, or the mean lies outside them.
    """
    low, high = int(quantiles.minimum), int(quantiles.maximum)
    if (low, high) != (quantiles.minimum, quantiles.maximum):
        raise HeadraceError(
            place, f"counts from {quantiles.minimum} to {quantiles.maximum}", "give whole numbers as bounds"
        )
    if not low <= mean <= high:
        raise HeadraceError(place, f"mean {mean} lies outside min and max", "correct the mean or the bounds")
    counts = rng.permutation(np.rint(quantiles.draw(rng, n)).astype(np.int64))
    total = min(max(round(mean * n), low * n), high * n)
    while missing := total - int(counts.sum()):
        step = 1 if missing > 0 else -1
        # The bounds stay as rare as they were drawn: they are extended only when nothing else is left.
        movable = np.flatnonzero((counts + step > low) & (counts + step < high) & (counts > low))
        if not len(movable):
            movable = np.flatnonzero((counts + step >= low) & (counts + step <= high))
        counts[rng.permutation(movable)[: abs(missing)]] += step
    return counts


def fit_waits(
    chunks: Chunks, gaps: np.ndarray, rest: np.ndarray, durations: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Waits that are distributed as `gaps` and add up to durations distributed as `durations`, in s.

    gaps: one per chunk but the first of each query, in the order of `chunks`; rest: the one further
    wait of each query (search, last window); durations: ascending, one per query.

    Durations are given to the queries in the order of their waits' sums, and each query's waits scaled
    to meet its own. That moves the gaps' distribution a little; giving the drawn gaps back by rank and
    scaling again, a few times, leaves both met. Returns (gaps, rest): their sums per query are exactly
    the durations.
    """
    query = np.delete(chunks.query, chunks.first)
    drawn = np.sort(gaps)
    for _ in range(ROUNDS):
        gaps = by_rank(gaps, drawn)
        sums = rest + np.bincount(query, weights=gaps, minlength=len(rest))
        scale = by_rank(sums, durations) / sums
        gaps, rest = gaps * scale[query], rest * scale
    return gaps, rest


def by_position(rng: np.random.Generator, chunks: Chunks, gaps: np.ndarray, correlation: float) -> np.ndarray:
    """Each query's gaps in another order, so that their ranks within the query go with their places.

    gaps: one per chunk but the first of each query, in the order of `chunks`. correlation 1: the shortest
    gap comes first and the longest last, as when pages are fetched at the same time and taken as they
    come; 0: at random.
    """
    query, place = np.delete(chunks.query, chunks.first), np.delete(chunks.index, chunks.first)
    share = (place - 0.5) / (chunks.counts - 1)[query]
    scores = correlated_with(rng, share, correlation)
    ordered = np.empty_like(gaps)
    ordered[np.lexsort((scores, query))] = gaps[np.lexsort((gaps, query))]
    return ordered
