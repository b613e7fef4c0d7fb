import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.scorecard.intervals import prediction_interval, t_quantile

positive = st.lists(st.floats(1e-3, 1e3), min_size=2, max_size=20)


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(1, 12.7062), (2, 4.3027), (3, 3.1824), (4, 2.7764), (7, 2.3646), (19, 2.0930), (30, 2.0423)],
)
def test_t_quantiles_are_those_of_the_printed_tables(degrees, expected):
    assert t_quantile(0.975, degrees) == pytest.approx(expected, abs=5e-5)


def test_t_quantile_nears_the_normal_one():
    assert t_quantile(0.975, 5000) == pytest.approx(1.96, abs=1e-3)


def test_interval_of_two_worlds_by_hand():
    # logs 0 and 2: mean 1, s = sqrt(2), times t(1) = 12.7062 and sqrt(1.5)
    low, high = prediction_interval(np.exp([0.0, 2.0]))
    half = 12.7062 * math.sqrt(2) * math.sqrt(1.5)
    assert math.log(low) == pytest.approx(1 - half, rel=1e-5)
    assert math.log(high) == pytest.approx(1 + half, rel=1e-5)


def test_counts_may_be_zero_and_never_less():
    low, high = prediction_interval(np.array([0.0, 0.0, 3.0]), "log1p")
    assert low == 0.0
    # log1p: mean log(4)/3, s = log(4)/sqrt(3)
    assert math.log1p(high) == pytest.approx(
        math.log(4) / 3 + 4.30265 * math.log(4) / 3**0.5 * (4 / 3) ** 0.5, rel=1e-4
    )


def test_shares_stay_within_zero_and_one():
    low, high = prediction_interval(np.array([0.05, 0.5, 0.99]), "share")
    assert (low, high) == (0.0, 1.0)


def test_one_world_has_no_interval():
    low, high = prediction_interval(np.array([1.0]))
    assert np.isnan(low) and np.isnan(high)


def test_a_value_of_zero_has_no_interval_on_the_log_scale():
    low, high = prediction_interval(np.array([0.0, 1.0]))
    assert np.isnan(low) and np.isnan(high)


def test_columns_are_independent():
    values = np.array([[1.0, 5.0], [2.0, 6.0], [4.0, 9.0]])
    low, high = prediction_interval(values)
    for column in range(2):
        assert (low[column], high[column]) == prediction_interval(values[:, column])


@given(positive)
def test_interval_holds_the_geometric_mean(values):
    low, high = prediction_interval(np.array(values))
    centre = math.exp(np.mean(np.log(values)))
    assert low * (1 - 1e-9) <= centre <= high * (1 + 1e-9)


@given(positive, st.floats(0.1, 10.0))
def test_interval_scales_with_the_unit(values, factor):
    values = np.array(values)
    expected = np.array(prediction_interval(values)) * factor
    assert np.allclose(prediction_interval(values * factor), expected, rtol=1e-6)


@given(st.lists(st.integers(0, 5_000), min_size=2, max_size=20))
def test_count_intervals_hold_their_middle(values):
    low, high = prediction_interval(np.array(values), "log1p")
    middle = math.expm1(np.mean(np.log1p(values)))
    assert 0 <= low <= middle + 1e-6 and middle <= high + 1e-6


def test_coverage_is_that_of_one_more_run():
    draw = np.random.default_rng(1)
    runs = np.exp(draw.normal(0.0, 0.5, (8, 4_000)))
    low, high = prediction_interval(runs)
    next_run = np.exp(draw.normal(0.0, 0.5, 4_000))
    assert np.mean((low <= next_run) & (next_run <= high)) == pytest.approx(0.95, abs=0.015)
