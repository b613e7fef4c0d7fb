import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.workload.quantiles import QuantileFunction, by_rank, correlated_scores, normal_scores, strata

KNOTS = {"min": 1, "p25": 10, "p50": 100, "p75": 1000, "p99.9": 5000, "max": 9000}


def test_passes_through_its_knots():
    quantiles = QuantileFunction.parse(KNOTS, "x")
    found = quantiles(np.array([0, 0.25, 0.5, 0.75, 0.999, 1]))
    assert found == pytest.approx([1, 10, 100, 1000, 5000, 9000])


def test_interpolates_the_log_in_the_logit_inside_and_in_the_probability_outside():
    quantiles = QuantileFunction.parse({"min": 1, "p20": 10, "p80": 1000, "max": 100000}, "x")
    assert quantiles(np.array([0.5])) == pytest.approx([100])
    # logit(0.9) = 2.1972, logit(0.8) = 1.3863; beyond p80 the log runs straight to the maximum.
    assert quantiles(np.array([0.9])) == pytest.approx([10000])
    assert quantiles(np.array([0.1])) == pytest.approx([10**0.5])
    # logit(0.6) / logit(0.8) = 0.29248
    assert quantiles(np.array([0.6])) == pytest.approx([100 * 10**0.29248], rel=1e-4)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(20, 300))
def test_every_draw_meets_the_quantiles(seed, n):
    quantiles = QuantileFunction.parse(KNOTS, "x")
    drawn = quantiles.draw(np.random.default_rng(seed), n)
    assert len(drawn) == n
    assert np.all(np.diff(drawn) >= 0)
    assert quantiles.minimum <= drawn[0] and drawn[-1] <= quantiles.maximum
    below = np.searchsorted(drawn, quantiles(np.array([0.25, 0.5, 0.75]))) / n
    assert np.abs(below - [0.25, 0.5, 0.75]).max() <= 1 / n


def test_strata_has_one_draw_in_each_interval():
    drawn = strata(np.random.default_rng(1), 50)
    assert np.floor(drawn * 50).tolist() == list(range(50))
    assert len(strata(np.random.default_rng(1), 0)) == 0


def test_by_rank_gives_the_values_out_in_the_order_of_the_scores():
    assert by_rank(np.array([5.0, 1.0, 5.0, 3.0]), np.array([10, 20, 30, 40])).tolist() == [30, 10, 40, 20]


def test_normal_scores_are_normal_quantiles_of_ranks():
    assert normal_scores(np.array([30.0, -1.0, 7.0])) == pytest.approx([0.96742, -0.96742, 0], abs=1e-5)


@pytest.mark.parametrize("correlation", [-0.8, 0.0, 0.5, 1.0])
def test_correlated_scores_have_the_correlation(correlation):
    rng = np.random.default_rng(3)
    values = rng.exponential(size=20000)
    scores = correlated_scores(rng, values, correlation)
    assert np.corrcoef(scores, normal_scores(values))[0, 1] == pytest.approx(correlation, abs=0.02)
    assert scores.std() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize(
    ("given_knots", "words"),
    [
        ([1, 2], ("crawler.gap_s", "is [1, 2]", "give quantiles")),
        ({"min": 1, "max": 2}, ("crawler.gap_s", "min, max and a percentile")),
        ({"min": 1, "p50": 2, "p60": 3}, ("min, max and a percentile",)),
        ({"min": 1, "median": 2, "max": 3}, ("crawler.gap_s.median", "no percentile")),
        ({"min": 1, "p100": 2, "max": 3}, ("crawler.gap_s.p100", "no percentile")),
        ({"min": 1, "50": 2, "max": 3}, ("crawler.gap_s.50", "no percentile")),
        ({"min": 0, "p50": 2, "max": 3}, ("crawler.gap_s.min", "positive number")),
        ({"min": 1, "p50": "2", "max": 3}, ("crawler.gap_s.p50", "positive number")),
        ({"min": 1, "p50": float("nan"), "max": 3}, ("crawler.gap_s.p50", "positive number")),
        ({"min": 1, "p50": 4, "max": 3}, ("crawler.gap_s.max", "does not follow p50")),
        ({"min": 1, "p5": 2, "p5.0": 2, "max": 3}, ("must differ",)),
    ],
)
def test_refuses_what_is_no_distribution(refused, given_knots, words):
    with refused(*words):
        QuantileFunction.parse(given_knots, "crawler.gap_s")
