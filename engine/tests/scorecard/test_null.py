import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.scorecard.null import NullBaseline, interpolate
from headrace.scorecard.reference import KEYS

SCHEMA = KEYS | {"published": pl.Float64, "role": pl.String}
PRESSURE = "delay10_cost_published"


def row(quantity, policy="default_vllm", qps=1.0, stream=True, setting="main", **more):
    keys = {"artifact": None, "hardware": "h200-tp2", "workload": "crawler", "setting": setting}
    return keys | {"qps": qps, "policy": policy, "stream": stream, "quantity": quantity} | more


@pytest.fixture(scope="module")
def null():
    def calibrated(quantity, published, **keys):
        return row(quantity, **keys) | {"published": published, "role": "calibrated"}

    rows = [
        calibrated("ttft_p50_s", 1.0, qps=0.5),
        calibrated("ttft_p50_s", 8.0, qps=3.5),
        calibrated("ttft_p50_s", 10.0, qps=0.5, stream=False),
        calibrated("ttft_p50_s", 160.0, qps=3.5, stream=False),
        calibrated("ttft_p99_s", 20.0, qps=3.5),
        calibrated("ttft_p99_s", 50.0, qps=3.5, setting=PRESSURE),
        calibrated("preemptions", 1735.0, qps=3.5, setting=PRESSURE),
        row("ttft_p50_s", qps=1.0) | {"published": 99.0, "role": "seen"},
    ]
    return NullBaseline(pl.DataFrame(rows, schema=SCHEMA))


def test_the_calibrated_rows_are_met(null):
    assert null.value(row("ttft_p50_s", qps=0.5)) == 1.0
    assert null.value(row("ttft_p50_s", qps=3.5, stream=False)) == 160.0


def test_between_them_the_logarithm_is_linear_in_qps(null):
    assert null.value(row("ttft_p50_s", qps=1.5)) == pytest.approx(2.0)  # a third of the way from 1 to 8
    assert null.value(row("ttft_p50_s", qps=2.0, stream=False)) == pytest.approx(40.0)


def test_beyond_them_there_is_none(null):
    assert null.value(row("ttft_p50_s", qps=4.0)) is None
    assert null.value(row("ttft_p95_s", qps=1.0)) is None
    assert null.value(row("ttft_p50_s", qps=1.0, workload="anns")) is None


def test_every_policy_does_what_the_default_does(null):
    assert null.value(row("ttft_p50_s", policy="lcas", qps=1.5)) == pytest.approx(2.0)
    assert null.value(row("speedup_vs_streaming_p95", policy="fcfs")) == 1.0
    assert null.value(row("speedup_vs_non_streaming_p50", policy="mcps", qps=2.0)) == pytest.approx(
        40 / math.sqrt(8)
    )
    assert null.value(row("speedup_vs_non_streaming_p99", policy="mcps", qps=2.0)) is None
    assert null.value(row("invalidated_ratio_p50", policy="fcfs", workload="anns")) == 1.0


def test_pressure_changes_only_what_a_calibrated_row_says(null):
    assert null.value(row("ttft_p50_s", qps=3.5, setting=PRESSURE)) == 8.0
    assert null.value(row("ttft_p99_s", qps=3.5, setting=PRESSURE, policy="fcfs")) == 50.0
    assert null.value(row("preemptions", qps=3.5, setting=PRESSURE, policy="lcas")) == 1735.0


def test_another_eviction_at_the_same_delay_takes_the_pressure_row(null):
    assert null.value(row("ttft_p99_s", qps=3.5, setting="delay10_recompute")) == 50.0
    assert null.value(row("preemptions", qps=3.5, setting="delay10_recompute", policy="fcfs")) == 1735.0
    assert null.value(row("ttft_p99_s", qps=3.5, setting="delay30_recompute")) == 20.0
    assert null.value(row("preemptions", qps=3.5, setting="delay30_recompute")) is None


def test_what_the_calibrated_rows_do_not_know_has_no_baseline(null):
    assert null.value(row("concurrent_requests_p50", qps=3.5, setting=PRESSURE)) is None
    assert null.value(row("query_duration_p50_s", policy=None, qps=None, stream=None, setting=None)) is None


def test_without_calibrated_rows_there_is_no_baseline():
    null = NullBaseline(pl.DataFrame(schema=SCHEMA))
    assert null.value(row("speedup_vs_streaming_p95", policy="fcfs")) is None


@given(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3), st.floats(0.5, 4.0))
def test_interpolation_stays_between_its_ends(left, right, qps):
    value = interpolate({0.5: left, 4.0: right}, qps)
    assert min(left, right) * (1 - 1e-9) <= value <= max(left, right) * (1 + 1e-9)
