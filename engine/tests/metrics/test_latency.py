import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.metrics.latency import duration_s, percentiles, summary


def test_percentiles_interpolate_linearly():
    found = percentiles(np.arange(11.0), (50, 95, 99.9))
    assert found == pytest.approx({"p50": 5.0, "p95": 9.5, "p99.9": 9.99, "mean": 5.0})


def test_no_values_no_percentiles():
    assert percentiles(np.array([])) == {}


@given(st.lists(st.floats(0.0, 1e6), min_size=1, max_size=50))
def test_percentiles_are_ordered_and_within_the_values(values):
    found = percentiles(np.array(values))
    found.pop("mean")
    ordered = list(found.values())
    assert ordered == sorted(ordered)
    assert min(values) <= ordered[0] and ordered[-1] <= max(values)


@pytest.fixture
def three_requests():
    """Two served (TTFT 0.1 s and 0.3 s, arrivals 1 s and 2 s, finishes 3 s and 5 s), one refused."""
    return pl.DataFrame(
        {
            "arrival_s": [1.0, 2.0, 2.5],
            "first_token_s": [3.0, 5.0, None],
            "finished_s": [3.0, 5.0, None],
            "ttft_s": [0.1, 0.3, None],
            "e2e_s": [2.0, 3.0, None],
            "prompt_tokens": [100, 300, 9_999],
            "output_tokens": [1, 1, 0],
        }
    )


def test_summary_has_the_keys_of_vllm_bench(three_requests):
    found = summary(three_requests)
    assert found["completed"] == 2 and found["failed"] == 1
    assert found["duration"] == 4.0
    assert found["total_input_tokens"] == 400 and found["total_output_tokens"] == 2
    assert found["request_throughput"] == pytest.approx(0.5)
    assert found["output_throughput"] == pytest.approx(0.5)
    assert found["total_token_throughput"] == pytest.approx(100.5)
    assert found["mean_ttft_ms"] == pytest.approx(200.0)
    assert found["median_ttft_ms"] == pytest.approx(200.0)
    assert found["p95_ttft_ms"] == pytest.approx(290.0)
    assert found["p99.9_ttft_ms"] == pytest.approx(299.8)
    assert found["std_ttft_ms"] == pytest.approx(100.0)
    assert found["mean_e2el_ms"] == pytest.approx(2500.0)


def test_a_run_that_served_nothing_says_so(three_requests):
    found = summary(three_requests.filter(pl.col("first_token_s").is_null()))
    assert found == {"completed": 0, "failed": 1, "total_input_tokens": 0, "total_output_tokens": 0}
    assert duration_s(three_requests.filter(pl.col("first_token_s").is_null())) is None
