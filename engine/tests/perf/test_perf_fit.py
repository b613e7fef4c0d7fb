import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.perf.fit import polynomial_fit
from headrace.perf.step_fit import Pass, fit_step

POWERS = [2**power for power in range(4, 18)]


def test_a_known_polynomial_is_recovered():
    fit = polynomial_fit(POWERS, [0.003 + 1.2e-5 * n + 2e-10 * n * n for n in POWERS])
    assert fit.coefficients == pytest.approx((0.003, 1.2e-5, 2e-10), rel=1e-9)
    assert fit.r2 == pytest.approx(1.0, abs=1e-12)


def test_three_points_worked_by_hand():
    # 1 at 0, 2 at 1, 5 at 2: 1 + n^2.
    assert polynomial_fit([0, 1, 2], [1.0, 2.0, 5.0]).coefficients == (1.0, 0.0, 1.0)


def test_r2_by_hand():
    # The line through (0, 0), (1, 1), (2, 0) is 1/3: residual 2/3 of a total of 2/3.
    fit = polynomial_fit([0, 1, 2], [0.0, 1.0, 0.0], degree=1)
    assert fit.coefficients == pytest.approx((1 / 3, 0.0))
    assert fit.r2 == pytest.approx(0.0, abs=1e-15)


def test_equal_points_are_met_exactly():
    fit = polynomial_fit([16, 32, 64, 128], [0.25] * 4)
    assert fit.coefficients == (0.25, 0.0, 0.0) and fit.r2 == 1.0


def test_a_fit_may_be_negative_at_small_counts_and_is_not_clamped():
    fit = polynomial_fit(POWERS, [max(0.001, 1e-5 * (n - 2000)) for n in POWERS])
    assert fit(16) < 0


@given(st.lists(st.floats(1e-3, 10), min_size=14, max_size=14))
def test_agrees_with_numpy(seconds):
    reference = np.polynomial.Polynomial.fit(POWERS, seconds, 2)
    ours = polynomial_fit(POWERS, seconds)
    for n in (16, 5000, 131072):
        assert ours(n) == pytest.approx(reference(n), rel=1e-6, abs=1e-8)


def test_too_few_counts_are_refused():
    with pytest.raises(HeadraceError, match="2 different token counts are too few for degree 2"):
        polynomial_fit([16, 32, 32], [1.0, 2.0, 2.0])


def passes(dense, pair_s, decode_s):
    prefills = [Pass(1, n, context, 0.0) for n in (2, 16, 512) for context in (0, 1000, 30000)]
    decodes = [Pass(n, 1, context, 0.0) for n in (1, 2, 16) for context in (128, 8192)]
    return [
        Pass(
            p.requests,
            p.new_tokens,
            p.context_tokens,
            dense[p.all_tokens] + pair_s * p.pairs + decode_s * p.decoded_context,
        )
        for p in prefills + decodes
    ]


def test_a_step_is_split_into_its_three_parts():
    dense = {1: 0.003, 2: 0.0031, 16: 0.004, 512: 0.008}
    measured = passes(dense, 4e-10, 1.5e-8)
    fit = fit_step(measured)
    assert fit.tokens == (1, 2, 16, 512)
    assert fit.dense_s == pytest.approx(tuple(dense.values()), rel=1e-9)
    assert fit.attention_s_per_token_pair == pytest.approx(4e-10, rel=1e-6)
    assert fit.decode_s_per_context_token == pytest.approx(1.5e-8, rel=1e-6)
    assert fit.errors(measured)["max_rel_error"] < 1e-9


def test_dense_times_never_fall():
    fit = fit_step(passes({1: 0.003, 2: 0.0029, 16: 0.004, 512: 0.008}, 4e-10, 1.5e-8))
    assert fit.dense_s[1] == fit.dense_s[0] == pytest.approx(0.003)


def test_a_split_that_the_passes_do_not_show_is_refused():
    with pytest.raises(HeadraceError, match="prefills and decodes at two contexts each"):
        fit_step([Pass(1, 16, 0, 0.004), Pass(1, 32, 0, 0.005)])
