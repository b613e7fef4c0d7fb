"""Throughput with all arrivals at t = 0: a policy that streams over default_vllm that does not.

`variants/parity.csv` holds one row per policy and world.
"""

from pathlib import Path

import polars as pl

from headrace.scorecard.csv_table import read_csv_table

COLUMNS = {
    "workload": pl.String,
    "policy": pl.String,
    "stream": pl.Boolean,
    "world": pl.Int64,
    "throughput_ratio": pl.Float64,
    "busy_ratio": pl.Float64,
}


def read(path: Path) -> pl.DataFrame:
    """Columns `COLUMNS` of the table. Raises HeadraceError when it is missing or another table."""
    return read_csv_table(path, COLUMNS, "snakemake parity").select(*COLUMNS)


def throughput_ratios(parity: pl.DataFrame | None, workload: str) -> dict[str, tuple[float, float]]:
    """By streaming policy: requests per second over those without streaming, and the same of the engine alone
    (busy seconds without streaming over those with it); medians over worlds.
    """
    if parity is None:
        return {}
    rows = parity.filter(pl.col("throughput_ratio").is_finite(), workload=workload, stream=True)
    medians = rows.group_by("policy").agg(pl.col("throughput_ratio", "busy_ratio").median()).sort("policy")
    return {policy: (ratio, alone) for policy, ratio, alone in medians.iter_rows()}
