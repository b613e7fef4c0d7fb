"""The loss, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.calibration.objective import Objective, log_error, weight_by_luck

TTFT = ["ttft_p50_s", "ttft_p99.9_s"]


def objective(quantities=TTFT, published=(1.0, 1.0), weights=(1.0, 1.0)):
    return Objective(quantities, published, huber=0.1, prior=0.002, weights=weights)


def test_a_perfect_point_costs_nothing():
    assert objective().misfit([1.0, 1.0]) == 0


def test_a_small_error_counts_with_its_square_and_a_large_one_linearly():
    assert objective().misfit([math.exp(0.001), 1.0]) == pytest.approx(1e-6, rel=1e-3)
    assert objective().misfit([math.exp(10.0), 1.0]) == pytest.approx(2 * 0.1 * (10 - 0.1), rel=1e-3)
    # e = 0.1 = huber: 2 * 0.01 * (sqrt 2 - 1)
    assert objective().misfit([math.exp(0.1), 1.0]) == pytest.approx(0.00828427, rel=1e-6)


def test_half_and_double_cost_the_same():
    assert objective().misfit([2.0, 1.0]) == pytest.approx(objective().misfit([0.5, 1.0]))


def test_every_row_has_a_weight_of_its_own():
    weighted = objective(weights=(1.0, 0.3))
    assert weighted.misfit([1.0, 2.0]) == pytest.approx(0.3 * objective().misfit([1.0, 2.0]))
    assert weighted.misfit([2.0, 1.0]) == objective().misfit([2.0, 1.0])


def test_some_rows_have_a_misfit_of_their_own():
    quantities = ["ttft_p50_s", "preemptions", "ttft_p99.9_s"]
    whole = objective(quantities, (1.0, 7.0, 2.0), (1.0, 0.6, 0.3))
    assert whole.every == (0, 1, 2)
    some = whole.of((0, 2))
    assert some.misfit([1.0, 4.0]) == pytest.approx(whole.misfit([1.0, 7.0, 4.0]))
    assert some.misfit([1.0, 4.0]) == whole.of((2,)).misfit([4.0])
    assert some.weights == [1.0, 0.3]
    assert whole.of((2, 1)).weights == [0.3, 0.6]
    double = objective().misfit([2.0, 1.0])
    assert whole.of((2,)).misfit([4.0]) == pytest.approx(0.3 * double)
    assert whole.of((1,)).misfit([15.0]) == pytest.approx(0.6 * double)


def test_a_row_without_a_weight_is_no_misfit():
    with pytest.raises(ValueError, match="zip"):
        objective(weights=(1.0,)).misfit([1.0, 1.0])


@pytest.mark.parametrize(
    ("spread", "weight"), [(0.0, 1.0), (0.05, 0.5), (0.1, 0.2), (0.15, 0.1), (0.2, 1 / 17)]
)
def test_a_row_counts_by_how_little_luck_is_in_it(spread, weight):
    assert weight_by_luck(spread, tolerance=0.05) == pytest.approx(weight)


def test_counts_may_be_nothing():
    assert log_error("preemptions", 0.0, 0.0) == 0
    assert log_error("preemptions", 0.0, 1.0) == pytest.approx(-math.log(2))
    assert log_error("ttft_p50_s", 0.5, 1.0) == pytest.approx(-math.log(2))


@given(st.floats(1.0, 5.0), st.floats(1.0, 5.0))
def test_a_larger_error_never_costs_less(one, other):
    near, far = sorted((one, other))
    assert objective().misfit([near, 1.0]) <= objective().misfit([far, 1.0])
