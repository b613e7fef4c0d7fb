"""Latency percentiles, and the summary in the keys of `vllm bench serve`.

TTFT runs from the return of the last hand-over of a stream (or the submission of a whole prompt) to the first
token; E2EL from the query's start.
"""

import numpy as np
import polars as pl

PERCENTILES = (50.0, 75.0, 90.0, 95.0, 99.0, 99.9)


def percentiles(values: np.ndarray, ranks: tuple[float, ...] = PERCENTILES) -> dict[str, float]:
    """`{"p50": ..., "p99.9": ..., "mean": ...}` by linear interpolation between order statistics.

    Empty for no values.
    """
    if len(values) == 0:
        return {}
    found = {
        f"p{rank:g}": float(value) for rank, value in zip(ranks, np.percentile(values, ranks), strict=True)
    }
    return found | {"mean": float(np.mean(values))}


def duration_s(requests: pl.DataFrame) -> float | None:
    """Trace completion time: from the first arrival to the last finish (s); None when nothing finished."""
    last = requests["finished_s"].max()
    return None if last is None else float(last - requests["arrival_s"].min())


def summary(requests: pl.DataFrame) -> dict[str, float]:
    """One world's run in the keys of `vllm bench serve`: times in ms, rates per second of `duration`.

    `duration` runs from the first arrival to the last finish; `failed` counts refused requests, which have no
    part in the other figures.
    """
    served = requests.filter(pl.col("first_token_s").is_not_null())
    found: dict[str, float] = {"completed": served.height, "failed": requests.height - served.height}
    found["total_input_tokens"] = int(served["prompt_tokens"].sum())
    found["total_output_tokens"] = int(served["output_tokens"].sum())
    duration = duration_s(served)
    if duration is None:
        return found
    found["duration"] = duration
    if duration > 0:
        found["request_throughput"] = served.height / duration
        found["output_throughput"] = found["total_output_tokens"] / duration
        found["total_token_throughput"] = (
            found["total_input_tokens"] + found["total_output_tokens"]
        ) / duration
    for key, column in (("ttft", "ttft_s"), ("e2el", "e2e_s")):
        values = served[column].to_numpy() * 1e3
        for statistic, value in percentiles(values).items():
            found[f"{'median' if statistic == 'p50' else statistic}_{key}_ms"] = value
        found[f"std_{key}_ms"] = float(np.std(values))
    return found
