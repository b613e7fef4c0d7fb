"""Speedups over both baselines, and TTFT in seconds."""

import polars as pl

from headrace.scorecard.reference import PERCENTILES
from headrace.tables.beside import beside
from headrace.tables.markdown import captioned

TTFT = "TTFT runs from the last hand-over, without streaming from the submission, to the first token."
SPEEDUPS = {
    "speedup_vs_streaming": "Speedup over default_vllm, streaming (its TTFT over the policy's)",
    "speedup_vs_non_streaming": "Speedup over default_vllm, non-streaming",
}


def latency_tables(rows: pl.DataFrame, labels: dict[str, str], ours: str) -> list[str]:
    """Both speedups and TTFT (s) at P50, P95, P99 and P99.9 as Markdown tables; labels as of `beside`."""
    labels = labels | {"policy": "series"}
    parts = [
        captioned(caption, beside(rows, labels, _columns(quantity + "_{}"), ours))
        for quantity, caption in SPEEDUPS.items()
    ]
    return [*parts, captioned("TTFT (s)", beside(rows, labels, _columns("ttft_{}_s"), ours))]


def with_series(rows: pl.DataFrame) -> pl.DataFrame:
    """`rows` with a column `series`: the policy, and for default_vllm whether it streams."""
    how = pl.when(pl.col("stream")).then(pl.lit(", streaming")).otherwise(pl.lit(", non-streaming"))
    default = (pl.col("policy") == "default_vllm") & pl.col("quantity").str.starts_with("ttft_")
    return rows.with_columns(series=pl.col("policy") + pl.when(default).then(how).otherwise(pl.lit("")))


def _columns(quantity: str) -> dict[str, str]:
    return {percentile.upper(): quantity.format(percentile) for percentile in PERCENTILES}
