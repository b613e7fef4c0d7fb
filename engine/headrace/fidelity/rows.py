"""Rows of a scorecard that a judgement may count, and how one of them is named."""

import polars as pl

from headrace.tables.markdown import number, signed_percent

HARDWARE = "h200-tp2"
WORKLOADS = ("crawler", "anns")
TTFT = ("ttft_p50_s", "ttft_p95_s", "ttft_p99_s")
PRESSURE = {
    workload: tuple(f"delay{delay}_{eviction}" for eviction in ("cost_published", "recompute"))
    for workload, delay in (("crawler", 10), ("anns", 30))
}
"""The settings with stretched waits that have published numbers, by workload."""


def comparable(scorecard: pl.DataFrame) -> pl.DataFrame:
    """Rows with a published and a reproduced number, without excluded ones and without inputs."""
    return scorecard.filter(
        pl.col("published").is_not_null(),
        pl.col("reproduced").is_not_null(),
        pl.col("verdict").fill_null("") != "excluded",
        pl.col("role").is_in(["seen", "calibrated"]),
    )


def counted(scorecard: pl.DataFrame) -> pl.DataFrame:
    """The comparable rows that no fit looked at."""
    return comparable(scorecard).filter(role="seen")


def main_grid(rows: pl.DataFrame, workload: str) -> pl.DataFrame:
    """TTFT P50, P95 and P99 in seconds of one workload, main grid, H200."""
    return rows.filter(
        pl.col("quantity").is_in(TTFT),
        hardware=HARDWARE,
        workload=workload,
        setting="main",
        artifact="inline",
    )


def pressure(rows: pl.DataFrame, workload: str) -> pl.DataFrame:
    """All rows of one workload with stretched waits, eviction by cost or by recomputation."""
    return rows.filter(pl.col("setting").is_in(PRESSURE[workload]), hardware=HARDWARE, workload=workload)


def cell_name(row: dict) -> str:
    """The cell of a row, in words: "main, 4 QPS, default_vllm non-streaming"."""
    policy = row["policy"] if row["stream"] else f"{row['policy']} non-streaming"
    return f"{row['setting']}, {row['qps']:g} QPS, {policy}"


def described(row: dict) -> str:
    """One row in words: cell, quantity, published and reproduced value, relative error where there is one."""
    error = "" if row["rel_error"] is None else f" ({signed_percent(row['rel_error'])})"
    values = f"{number(row['published'])} published, {number(row['reproduced'])} ours{error}"
    return f"{cell_name(row)}, {row['quantity']}: {values}"
