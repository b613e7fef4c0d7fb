"""One cell's metrics: every quantity of every world, in long form."""

import numpy as np
import polars as pl

from headrace.axes import TYPES, Axes
from headrace.metrics.concurrency import COUNTED_FROM, concurrent_at_preemption
from headrace.metrics.latency import duration_s, percentiles
from headrace.metrics.overload import is_overloaded

SCHEMA = {
    "backend": pl.String,
    "hardware": pl.String,
    "workload": pl.String,
    "delay": pl.Int32,
    "eviction": pl.String,
    "policy": pl.String,
    "stream": pl.Boolean,
    "qps": pl.Float64,
    "world": pl.Int32,
    "quantity": pl.String,
    "value": pl.Float64,
}
PUBLISHED_SEED = 42


def cell_metrics(
    requests: pl.DataFrame,
    axes: Axes,
    offered_loads: dict[int, float] | None = None,
    logged_concurrent: dict[int, np.ndarray] | None = None,
) -> pl.DataFrame:
    """Long table of one cell: the axes, world, quantity, value (schema `SCHEMA`).

    `requests` is a checked requests table, `offered_loads` that of each world where known,
    `logged_concurrent` the concurrent requests at preemption where a log has them (else they are counted).
    A quantity that a world does not define has no row there: a percentile when nothing was served or a
    table does not say, concurrency when nothing was preempted.
    """
    loads = offered_loads or {}
    rows = [
        (world, quantity, value)
        for (world,), of_world in requests.partition_by("world", as_dict=True, maintain_order=True).items()
        for quantity, value in {
            **_world_quantities(of_world, axes, loads.get(world)),
            **_concurrency(of_world, axes, world, logged_concurrent),
        }.items()
    ]
    table = pl.DataFrame(rows, schema=["world", "quantity", "value"], orient="row")
    return table.with_columns(pl.lit(axes[key]).alias(key) for key in TYPES).select(
        pl.col(key).cast(kind) for key, kind in SCHEMA.items()
    )


def _world_quantities(requests: pl.DataFrame, axes: Axes, offered_load: float | None) -> dict[str, float]:
    served = requests.filter(pl.col("first_token_s").is_not_null())
    recompute, swap = (int(requests[f"preemptions_{how}"].sum()) for how in ("recompute", "swap"))
    found: dict[str, float] = {
        "requests": requests.height,
        "refused": requests.height - served.height,
        "published_gaps": has_published_gaps(requests["arrival_s"].to_numpy(), axes["qps"]),
        "preemptions": recompute + swap,
        "preemptions_recompute": recompute,
        "preemptions_swap": swap,
        "overload": is_overloaded(requests, offered_load),
    }
    if offered_load is not None:
        found["offered_load"] = offered_load
    if recompute + swap:
        found["swap_share"] = swap / (recompute + swap)
    completion = duration_s(served)
    if completion is not None:
        found["completion_s"] = completion
    if completion:
        found["request_throughput"] = served.height / completion
    for name, column in (("ttft", "ttft_s"), ("e2e", "e2e_s")):
        for statistic, value in percentiles(served[column].to_numpy()).items():
            found[f"{name}_{statistic}_s"] = value
    if not served["invalidated_tokens"].has_nulls():
        invalidated = percentiles(served["invalidated_tokens"].to_numpy(), (50, 95, 99))
        found |= {f"invalidated_{statistic}_tokens": value for statistic, value in invalidated.items()}
    return found


def _concurrency(
    requests: pl.DataFrame, axes: Axes, world: int, logged: dict[int, np.ndarray] | None
) -> dict[str, float]:
    if logged is None:
        concurrent = concurrent_at_preemption(requests, COUNTED_FROM.get(axes["workload"], "arrival_s"))
    else:
        concurrent = logged.get(world, np.array([]))
    return {
        f"concurrent_requests_{statistic}": value
        for statistic, value in percentiles(concurrent, (50, 95)).items()
    }


def has_published_gaps(arrival_s: np.ndarray, qps: float) -> bool:
    """Whether queries start, in order, at the published times: exponential gaps of seed 42, over `qps`."""
    published = np.random.RandomState(PUBLISHED_SEED).exponential(1.0, len(arrival_s)).cumsum()
    return bool(np.allclose(arrival_s * qps, published, rtol=1e-6, atol=0.0))
