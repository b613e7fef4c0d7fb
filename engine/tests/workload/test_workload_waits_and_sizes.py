import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.workload.quantiles import QuantileFunction
from headrace.workload.sizes import split
from headrace.workload.timing import Chunks, by_position, draw_counts, fit_waits

counts = st.lists(st.integers(1, 9), min_size=1, max_size=30)


def test_chunks_by_hand():
    chunks = Chunks(np.array([2, 1, 3]))
    assert chunks.query.tolist() == [0, 0, 1, 2, 2, 2]
    assert chunks.index.tolist() == [0, 1, 0, 0, 1, 2]
    assert chunks.first.tolist() == [0, 2, 3]
    assert chunks.last.tolist() == [1, 2, 5]
    assert chunks.totals(np.array([1, 2, 5, 3, 4, 5])).tolist() == [1, 3, 5, 3, 7, 12]


@settings(deadline=None)
@given(counts, st.integers(0, 2**32))
def test_waits_add_up_to_the_durations(counts, seed):
    rng = np.random.default_rng(seed)
    chunks = Chunks(np.array(counts))
    durations = np.sort(rng.uniform(1, 10, len(counts)))
    gaps, rest = fit_waits(
        chunks, rng.exponential(size=sum(counts) - len(counts)), rng.uniform(1, 3, len(counts)), durations
    )
    owner = np.delete(chunks.query, chunks.first)
    sums = rest + np.bincount(owner, weights=gaps, minlength=len(counts))
    assert np.allclose(np.sort(sums), durations)
    assert (gaps > 0).all() and (rest > 0).all()


def test_gaps_by_position_by_hand():
    """Two queries of three gaps, one without; nothing is random at a full correlation."""
    chunks, gaps = Chunks(np.array([4, 1, 4])), np.array([3.0, 1.0, 2.0, 0.5, 9.0, 4.0])

    def ordered(correlation: float) -> list[float]:
        return by_position(np.random.default_rng(0), chunks, gaps, correlation).tolist()

    assert ordered(1.0) == [1.0, 2.0, 3.0, 0.5, 4.0, 9.0]
    assert ordered(-1.0) == [3.0, 2.0, 1.0, 9.0, 4.0, 0.5]


@settings(deadline=None)
@given(counts, st.floats(-1, 1), st.integers(0, 2**32))
def test_gaps_by_position_stay_with_their_query(counts, correlation, seed):
    rng, chunks = np.random.default_rng(seed), Chunks(np.array(counts))
    gaps = rng.exponential(size=sum(counts) - len(counts))
    ordered = by_position(rng, chunks, gaps, correlation)
    ends = np.cumsum(np.array(counts) - 1)[:-1]
    for before, after in zip(np.split(gaps, ends), np.split(ordered, ends), strict=True):
        assert sorted(before) == sorted(after)


@settings(deadline=None)
@given(st.integers(1, 400), st.floats(1, 17), st.integers(0, 2**32))
def test_counts_have_exactly_the_mean_within_the_bounds(n, mean, seed):
    quantiles = QuantileFunction.parse({"min": 1, "p5": 3, "p50": 8, "p95": 12, "max": 17}, "counts")
    drawn = draw_counts(np.random.default_rng(seed), quantiles, mean, n, "counts")
    assert drawn.sum() == round(mean * n)
    assert drawn.min() >= 1 and drawn.max() <= 17


def test_refuses_a_mean_outside_the_bounds(refused):
    quantiles = QuantileFunction.parse({"min": 1, "p50": 8, "max": 17}, "counts")
    with refused("counts", "mean 18"):
        draw_counts(np.random.default_rng(0), quantiles, 18, 10, "counts")


def test_refuses_counts_between_fractions(refused):
    quantiles = QuantileFunction.parse({"min": 1.2, "p50": 1.5, "max": 1.8}, "counts")
    with refused("counts from 1.2 to 1.8", "whole numbers"):
        draw_counts(np.random.default_rng(0), quantiles, 1.5, 10, "counts")


def test_split_by_hand():
    parts = split(np.array([10, 7, 3]), np.array([2, 0, 3]), np.array([3.0, 1.0, 1.0, 1.0, 1.0]))
    # 8 spare tokens in shares of 3/4 and 1/4 over one each; nothing; nothing to spare.
    assert parts.tolist() == [7, 3, 1, 1, 1]


@settings(deadline=None)
@given(counts, st.data())
def test_split_parts_add_up_and_are_never_empty(counts, data):
    totals = np.array(data.draw(st.lists(st.integers(-5, 10**5), min_size=len(counts), max_size=len(counts))))
    weights = np.array(data.draw(st.lists(st.floats(1e-6, 1e6), min_size=sum(counts), max_size=sum(counts))))
    parts = split(totals, np.array(counts), weights)
    owner = np.repeat(np.arange(len(counts)), counts)
    sums = np.bincount(owner, weights=parts, minlength=len(counts))
    assert (parts >= 1).all()
    assert (sums == np.maximum(totals, counts)).all()
