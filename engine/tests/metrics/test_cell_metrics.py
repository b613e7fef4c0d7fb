import numpy as np
import polars as pl
import pytest

from headrace.metrics import cell_metrics
from headrace.metrics.cell import SCHEMA, has_published_gaps

AXES = {
    "backend": "sim",
    "hardware": "h200-tp2",
    "workload": "crawler",
    "delay": 10,
    "eviction": "cost_published",
    "policy": "fcfs",
    "stream": True,
    "qps": 4.0,
}


def requests(**changes):
    """World 0: 0..10 s TTFT, 3 recomputes and 1 swap; world 1: nothing preempted, one request refused."""
    ttft = [float(second) for second in range(11)]
    world0 = {
        "world": [0] * 11,
        "request_id": list(range(11)),
        "arrival_s": [float(second) for second in range(11)],
        "opened_s": [second + 1.0 for second in range(11)],
        "handed_over_s": [second + 2.0 for second in range(11)],
        "first_token_s": [2.0 * second + 2.0 for second in range(11)],
        "finished_s": [2.0 * second + 2.0 for second in range(11)],
        "ttft_s": ttft,
        "e2e_s": [second + 2.0 for second in range(11)],
        "prompt_tokens": [100] * 11,
        "output_tokens": [1] * 11,
        "invalidated_tokens": [1_000 * count for count in range(11)],
        "preemptions_recompute": [2, 1] + [0] * 9,
        "preemptions_swap": [1] + [0] * 10,
    }
    world1 = {
        "world": [1, 1],
        "request_id": [0, 1],
        "arrival_s": [0.0, 1.0],
        "opened_s": [1.0, 1.0],
        "handed_over_s": [2.0, 1.0],
        "first_token_s": [2.5, None],
        "finished_s": [2.5, None],
        "ttft_s": [0.5, None],
        "e2e_s": [2.5, None],
        "prompt_tokens": [100, 10**6],
        "output_tokens": [1, 0],
        "invalidated_tokens": [0, 0],
        "preemptions_recompute": [0, 0],
        "preemptions_swap": [0, 0],
    }
    return pl.concat([pl.DataFrame(world0), pl.DataFrame(world1)])


@pytest.fixture
def found():
    table = cell_metrics(requests(), AXES)
    assert dict(table.schema) == SCHEMA
    return {
        (world, quantity): value
        for world, quantity, value in table.select("world", "quantity", "value").rows()
    }


def test_axes_are_on_every_row():
    table = cell_metrics(requests(), AXES)
    assert table.select(AXES.keys()).unique().row(0, named=True) == AXES


def test_counts(found):
    assert found[0, "preemptions"] == 4
    assert found[0, "preemptions_recompute"] == 3 and found[0, "preemptions_swap"] == 1
    assert found[0, "swap_share"] == 0.25
    assert found[0, "requests"] == 11 and found[0, "refused"] == 0
    assert found[1, "requests"] == 2 and found[1, "refused"] == 1


def test_latency_completion_and_invalidation(found):
    assert found[0, "ttft_p50_s"] == 5.0 and found[0, "ttft_mean_s"] == 5.0
    assert found[0, "ttft_p95_s"] == pytest.approx(9.5)
    assert found[0, "ttft_p99.9_s"] == pytest.approx(9.99)
    assert found[0, "completion_s"] == 22.0
    assert found[0, "request_throughput"] == pytest.approx(0.5)
    assert found[0, "invalidated_p50_tokens"] == 5_000 and found[0, "invalidated_p95_tokens"] == 9_500
    assert found[1, "ttft_p99_s"] == 0.5


def test_crawler_counts_concurrency_from_the_opening(found):
    # at 2 s: opened by then are requests 0 and 1; at 4 s: 0 to 3, of which 0 has finished
    assert found[0, "concurrent_requests_p50"] == 2.0
    assert found[0, "concurrent_requests_mean"] == pytest.approx((2 * 3 + 3) / 4)


def test_what_a_world_does_not_define_has_no_row(found):
    assert found[1, "preemptions"] == 0
    assert (1, "swap_share") not in found and (1, "concurrent_requests_p50") not in found


def test_a_world_that_served_nothing_has_counts_only():
    refused = requests().filter(pl.col("first_token_s").is_null())
    table = cell_metrics(refused, AXES)
    assert dict(table.select("quantity", "value").rows())["refused"] == 1
    assert not any(quantity.startswith("ttft") for quantity in table["quantity"])


def test_published_gaps_are_recognised():
    arrivals = np.random.RandomState(42).exponential(1.0, 50).cumsum()
    assert has_published_gaps(arrivals / 4.0, 4.0)
    assert not has_published_gaps(arrivals / 4.0, 2.0)
    assert not has_published_gaps(1.0001 * arrivals, 1.0)
    assert not has_published_gaps(np.random.RandomState(43).exponential(1.0, 50).cumsum(), 1.0)
