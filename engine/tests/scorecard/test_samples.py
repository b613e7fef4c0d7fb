import polars as pl
import pytest

from headrace.metrics import cell
from headrace.scorecard import samples


def metric(quantity, value, world=0, workload="crawler", policy="default_vllm", stream=True, delay=1, **more):
    axes = {"backend": "sim", "hardware": "h200-tp2", "workload": workload, "delay": delay}
    axes |= {"eviction": "cost_published", "policy": policy, "stream": stream, "qps": 4.0}
    return axes | {"world": world, "quantity": quantity, "value": float(value)} | more


def table(*rows):
    return pl.DataFrame(list(rows), schema=cell.SCHEMA)


def values(found, **keys):
    return dict(found.filter(**keys).select("world", "value").rows())


def test_speedups_are_taken_within_one_world():
    found = samples.of_cells(
        table(
            metric("ttft_p95_s", 6.0, world=0),
            metric("ttft_p95_s", 8.0, world=1),
            metric("ttft_p95_s", 12.0, world=0, stream=False),
            metric("ttft_p95_s", 3.0, world=0, policy="fcfs"),
            metric("ttft_p95_s", 2.0, world=1, policy="fcfs"),
        )
    )
    assert values(found, quantity="speedup_vs_streaming_p95", policy="fcfs") == {0: 2.0, 1: 4.0}
    assert values(found, quantity="speedup_vs_non_streaming_p95", policy="fcfs") == {0: 4.0}
    assert values(found, quantity="ttft_p95_s", policy="fcfs") == {0: 3.0, 1: 2.0}
    assert found.filter(pl.col("quantity").str.starts_with("speedup"), policy="default_vllm").is_empty()


def test_settings_name_delay_and_eviction():
    found = samples.of_cells(
        table(
            metric("ttft_p50_s", 1.0),
            metric("ttft_p50_s", 1.0, delay=10),
            metric("ttft_p50_s", 1.0, delay=30, eviction="swap", workload="anns"),
        )
    )
    assert set(found.select("artifact", "setting").rows()) == {
        ("inline", "main"),
        ("table3", "delay10_cost_published"),
        ("table3", "delay30_swap"),
    }


def test_table4_is_of_streaming_cells_under_delay():
    rows = [
        metric(quantity, 5, delay=10) for quantity in ("preemptions", "swap_share", "concurrent_requests_p50")
    ]
    found = samples.of_cells(
        table(*rows, metric("preemptions", 3), metric("preemptions", 7, delay=10, stream=False))
    )
    assert found["artifact"].to_list() == ["table4"] * 3
    assert values(found, quantity="preemptions") == {0: 5.0}


def test_invalidated_ratios_are_of_anns_in_the_main_grid():
    found = samples.of_cells(
        table(
            metric("invalidated_p50_tokens", 200, workload="anns"),
            metric("invalidated_p50_tokens", 300, workload="anns", policy="mcps"),
            metric("invalidated_mean_tokens", 0, workload="anns"),
            metric("invalidated_mean_tokens", 10, workload="anns", policy="mcps"),
            metric("invalidated_p50_tokens", 300, workload="anns", policy="mcps", delay=30),
            metric("invalidated_p50_tokens", 0),
        )
    )
    assert found.select("artifact", "policy", "quantity", "value").rows() == [
        ("fig12", "mcps", "invalidated_ratio_p50", 1.5)
    ]


@pytest.mark.parametrize(
    ("gaps", "requests", "expected"), [(1, 4322, True), (1, 4321, False), (0, 4322, False)]
)
def test_world_0_counts_as_published_only_with_all_its_queries_at_the_published_times(
    gaps, requests, expected
):
    found = samples.of_cells(
        table(
            metric("ttft_p50_s", 1.0),
            metric("ttft_p50_s", 1.0, world=1),
            metric("published_gaps", gaps),
            metric("published_gaps", 1 - gaps, world=1),
            metric("requests", requests),
            metric("requests", 4322, world=1),
        )
    )
    assert found["published_arrivals"].to_list() == [expected] * 2


def test_workload_statistics_become_rows_in_seconds():
    columns = ["world", "quantity", "unit", "n", "mean"]
    columns += ["std", "min", "p5", "p25", "p50", "p75", "p95", "p99", "max"]
    rows = [
        (0, "inter_chunk_time", "ms", 9, 1000.0, 7.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0),
        (0, "total_tokens_per_query", "tokens", 9, 8000.0, 7.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0),
        (0, "invalidated_tokens", "tokens", 9, 8000.0, 7.0, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0),
    ]
    found = samples.of_workload("anns", pl.DataFrame(rows, schema=columns, orient="row"))
    assert values(found, quantity="inter_chunk_time_mean_s") == {0: 1.0}
    assert values(found, quantity="inter_chunk_time_p50_s") == {0: pytest.approx(0.003)}
    assert values(found, quantity="inter_chunk_time_std_s") == {0: pytest.approx(0.007)}
    assert values(found, quantity="inter_chunk_time_max_s") == {0: pytest.approx(0.008)}
    assert values(found, quantity="total_tokens_per_query_mean") == {0: 8000.0}
    assert set(found["artifact"]) == {"table2", "fig8-10"}
    assert not found["published_arrivals"].any()
