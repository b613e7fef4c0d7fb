"""The loss, by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.calibration.objective import Objective, log_error

TTFT = ["ttft_p50_s", "ttft_p99.9_s"]


def objective(quantities=TTFT, published=(1.0, 1.0), weights=None):
    return Objective(quantities, published, huber=0.1, prior=0.002, weights=weights or {})


def test_a_perfect_point_costs_nothing():
    assert objective().misfit([1.0, 1.0]) == 0


def test_a_small_error_counts_with_its_square_and_a_large_one_linearly():
    assert objective().misfit([math.exp(0.001), 1.0]) == pytest.approx(1e-6, rel=1e-3)
    assert objective().misfit([math.exp(10.0), 1.0]) == pytest.approx(2 * 0.1 * (10 - 0.1), rel=1e-3)
    # e = 0.1 = huber: 2 * 0.01 * (sqrt 2 - 1)
    assert objective().misfit([math.exp(0.1), 1.0]) == pytest.approx(0.00828427, rel=1e-6)


def test_half_and_double_cost_the_same():
    assert objective().misfit([2.0, 1.0]) == pytest.approx(objective().misfit([0.5, 1.0]))


def test_weights_go_by_quantity():
    weighted = objective(weights={"ttft_p99.9_s": 0.3})
    assert weighted.misfit([1.0, 2.0]) == pytest.approx(0.3 * objective().misfit([1.0, 2.0]))
    assert weighted.misfit([2.0, 1.0]) == objective().misfit([2.0, 1.0])


def test_some_rows_have_a_misfit_of_their_own():
    whole = objective(["ttft_p50_s", "preemptions", "ttft_p99.9_s"], (1.0, 7.0, 2.0), {"ttft_p99.9_s": 0.3})
    assert whole.every == (0, 1, 2)
    some = whole.of((0, 2))
    assert some.misfit([1.0, 4.0]) == pytest.approx(whole.misfit([1.0, 7.0, 4.0]))
    assert some.misfit([1.0, 4.0]) == whole.of((2,)).misfit([4.0])


def test_counts_may_be_nothing():
    assert log_error("preemptions", 0.0, 0.0) == 0
    assert log_error("preemptions", 0.0, 1.0) == pytest.approx(-math.log(2))
    assert log_error("ttft_p50_s", 0.5, 1.0) == pytest.approx(-math.log(2))


@given(st.floats(1.0, 5.0), st.floats(1.0, 5.0))
def test_a_larger_error_never_costs_less(one, other):
    near, far = sorted((one, other))
    assert objective().misfit([near, 1.0]) <= objective().misfit([far, 1.0])
