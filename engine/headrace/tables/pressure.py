"""Settings under memory pressure: stretched waits and an eviction rule."""

import re
from collections.abc import Iterator

import polars as pl

DELAYED = re.compile(r"delay(\d+)_(.+)")


def settings(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """Per workload, delay and rate: its heading and its rows, with a column `eviction`.

    `rows` are scored; those of the main grid are left out.
    """
    parts = pl.col("setting").str.extract_groups(DELAYED.pattern)
    split = rows.filter(pl.col("setting").str.contains(DELAYED.pattern)).with_columns(
        delay=parts.struct[0].cast(pl.Int32), eviction=parts.struct[1]
    )
    keys = ["workload", "delay", "qps", "hardware"]
    for key in split.select(keys).unique().sort(keys, descending=[True, False, False, True]).iter_rows():
        workload, delay, qps, hardware = key
        shown = split.filter(workload=workload, delay=delay, qps=qps, hardware=hardware)
        yield f"{workload}, waits x{delay}, {qps:g} QPS, {hardware}", shown
