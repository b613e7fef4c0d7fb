"""Positions and values of parameters, and what follows them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.calibration.parameters import Parameter, distance, named, settings, starts, values_at

STEP = Parameter("hardware/x/overheads/step_s", "a time", 0.004, 0.001, 0.1, scale="log")
SKEW = Parameter("generators/y/size_skew", "a shape", 1.0, 0.0, 2.0)
POOL = Parameter("hardware/x/kv_blocks", "a pool", 95_000, 90_000, 100_000, integer=True, times={"host": 2})


def test_a_position_is_a_share_of_the_range_on_the_parameters_scale():
    assert [STEP.value(position) for position in (0, 0.5, 1)] == [0.001, 0.01, 0.1]
    assert [SKEW.value(position) for position in (0, 0.25, 1)] == [0.0, 0.5, 2.0]
    assert STEP.position(0.01) == pytest.approx(0.5)


def test_values_have_four_digits_and_whole_ones_are_whole():
    assert STEP.value(1 / 3) == 0.004642  # 0.001 * 100 ** (1 / 3) = 0.00464159
    assert POOL.value(0.123456) == 91_230
    assert isinstance(POOL.value(0.123456), int)


@given(st.floats(0, 1), st.sampled_from([STEP, SKEW, POOL]))
def test_a_value_lies_within_its_bounds_and_back_at_its_position(position, parameter):
    value = parameter.value(position)
    assert parameter.low <= value <= parameter.high
    assert parameter.position(value) == pytest.approx(position, abs=1e-3)
    assert parameter.value(parameter.position(value)) == value


def test_bounds_hold_where_rounding_would_leave_them():
    narrow = Parameter("p", "a value", 0.123456, 0.123456, 0.123459)
    assert narrow.value(0) == 0.123459  # four digits: 0.1235


def test_patterns_are_of_whole_paths():
    assert named("hardware/x/overheads/step_s", ["generators/*", "hardware/*/step_s"])
    assert named("generators/y/total_tokens/p99.9", ["generators/*"])
    assert not named("hardware/x/overheads/step_s", ["step_s", "hardware/x", "*/step"])
    assert not named("hardware/x/overheads/step_s", [])


def test_what_follows_a_parameter_moves_with_it():
    values = values_at([SKEW, POOL], [0.5, 0.5])
    assert settings([SKEW, POOL], values) == {
        "generators/y/size_skew": 1.0,
        "hardware/x/kv_blocks": 95_000,
        "host": 190_000,
    }


def test_distance_is_in_units_of_the_range():
    assert distance([STEP, SKEW], starts([STEP, SKEW])) == 0
    moved = {STEP.path: 0.04, SKEW.path: 0.5}  # a decade of two; half of two, downwards
    assert distance([STEP, SKEW], moved) == pytest.approx(0.5**2 + 0.25**2)
    assert math.isclose(STEP.position(0.04) - STEP.position(0.004), 0.5)
