"""What we got: every scored quantity in every world, under the scorecard's names."""

import polars as pl

from headrace.errors import HeadraceError
from headrace.scorecard.reference import KEYS, PERCENTILES, UNIT_S, statistic_quantity

SCHEMA = KEYS | {"world": pl.Int32, "value": pl.Float64, "published_arrivals": pl.Boolean}
PUBLISHED_QUERIES = {"crawler": 4322, "anns": 500}
CELL = ("hardware", "workload", "setting", "qps", "policy", "stream")
PRESSURE = (
    *("preemptions", "preemptions_recompute", "preemptions_swap", "swap_share"),
    *("concurrent_requests_p50", "concurrent_requests_p95", "concurrent_requests_mean"),
)
TTFT = tuple(f"ttft_{percentile}_s" for percentile in PERCENTILES)
INVALIDATED = tuple(f"invalidated_{statistic}_tokens" for statistic in ("p50", "p95", "mean"))
STATISTICS = {
    ("table2", "total_tokens_per_query"): ("mean", "p50", "p75", "p95"),
    ("table2", "query_duration"): ("mean", "p50", "p75", "p95"),
    ("fig8-10", "query_duration"): ("mean", "p50", "p95", "max"),
    ("fig8-10", "inter_chunk_time"): ("mean", "std", "min", "p5", "p25", "p50", "p75", "p95", "p99", "max"),
    ("fig8-10", "chunks_per_query"): ("mean", "min", "p50", "max"),
}

SETTING = (
    pl.when(pl.col("delay") == 1)
    .then(pl.lit("main"))
    .otherwise(pl.concat_str(pl.lit("delay"), pl.col("delay"), pl.lit("_"), pl.col("eviction")))
    .alias("setting")
)
"""The scorecard's setting of a cell, from its axes."""

_MAIN = pl.col("setting") == "main"
_LATENCY = pl.when(_MAIN).then(pl.lit("inline")).otherwise(pl.lit("table3"))


def of_cells(metrics: pl.DataFrame) -> pl.DataFrame:
    """Samples (`SCHEMA`) from a metrics table: TTFT, speedups, table 4 under delay, ratios of figure 12.

    A speedup and a ratio are taken within one world, against `default_vllm` of the same cell otherwise.
    Raises HeadraceError for cells that differ in the eviction rule alone and have no delay: the scorecard
    has one setting for both, and their worlds would count as those of one cell.
    """
    cells = metrics.with_columns(SETTING).select(*CELL, "eviction").unique().sort("eviction")
    for cell in cells.group_by(CELL, maintain_order=True).agg("eviction").iter_rows(named=True):
        if len(cell["eviction"]) > 1:
            place = f"{cell['workload']} at {cell['qps']:g} QPS, {cell['policy']}, delay 1"
            problem = f"there are cells with eviction {' and '.join(cell['eviction'])}"
            raise HeadraceError(place, problem, "score those of one eviction rule")
    table = metrics.with_columns(SETTING).select(*CELL, "world", "quantity", "value")
    ttft = table.filter(pl.col("quantity").is_in(TTFT))
    ours = ttft.filter(pl.col("policy") != "default_vllm", "stream")
    parts = [ttft.with_columns(artifact=_LATENCY)]
    for streaming, name in ((True, "speedup_vs_streaming"), (False, "speedup_vs_non_streaming")):
        speedup = _over_default(ours, ttft, streaming).with_columns(value=1 / pl.col("value"))
        quantity = pl.col("quantity").str.replace("ttft", name).str.strip_suffix("_s")
        parts.append(speedup.with_columns(artifact=_LATENCY, quantity=quantity))
    pressure = table.filter(pl.col("quantity").is_in(PRESSURE), "stream", ~_MAIN)
    parts.append(pressure.with_columns(artifact=pl.lit("table4")))
    invalidated = table.filter(pl.col("quantity").is_in(INVALIDATED), _MAIN, workload="anns", stream=True)
    ratio = _over_default(invalidated.filter(pl.col("policy") != "default_vllm"), invalidated, True)
    quantity = pl.col("quantity").str.replace("invalidated", "invalidated_ratio").str.strip_suffix("_tokens")
    parts.append(ratio.with_columns(artifact=pl.lit("fig12"), quantity=quantity))
    whole = pl.concat([part.select(*KEYS, "world", "value") for part in parts])
    flags = _published_arrivals(table)
    return (
        whole.join(flags, on=CELL, how="left")
        .with_columns(pl.col("published_arrivals").fill_null(False))
        .select(pl.col(column).cast(kind) for column, kind in SCHEMA.items())
    )


def of_workload(workload: str, statistics: pl.DataFrame) -> pl.DataFrame:
    """Samples (`SCHEMA`) from a workload's statistics (`headrace.workload.statistics`).

    Only what `STATISTICS` names is taken: what the study published of each quantity.
    """
    rows = [
        {
            "artifact": artifact,
            "workload": workload,
            "quantity": statistic_quantity(quantity, name, row["unit"]),
            "world": row["world"],
            "value": row[name] * UNIT_S.get(row["unit"], 1.0),
            "published_arrivals": False,
        }
        for (artifact, quantity), names in STATISTICS.items()
        for row in statistics.filter(quantity=quantity).iter_rows(named=True)
        for name in names
        if row[name] is not None
    ]
    return pl.DataFrame(rows, schema=SCHEMA)


def _over_default(rows: pl.DataFrame, table: pl.DataFrame, streaming: bool) -> pl.DataFrame:
    """`rows` over `default_vllm`'s in the same world, as value; left out where that is no number."""
    on = ["hardware", "workload", "setting", "qps", "world", "quantity"]
    default = table.filter(policy="default_vllm", stream=streaming).select(*on, default="value")
    ratio = pl.col("value") / pl.col("default")
    return (
        rows.join(default, on=on)
        .with_columns(value=ratio)
        .filter(ratio.is_finite(), ratio > 0)
        .drop("default")
    )


def _published_arrivals(table: pl.DataFrame) -> pl.DataFrame:
    """Per cell: whether world 0 replays the published trace, its arrivals and all of its queries."""
    queries = pl.col("workload").replace_strict(PUBLISHED_QUERIES, default=None, return_dtype=pl.Float64)
    gaps = (pl.col("quantity") == "published_gaps") & (pl.col("value") == 1)
    all_queries = (pl.col("quantity") == "requests") & (pl.col("value") == queries)
    return (
        table.filter(pl.col("world") == 0)
        .group_by(CELL)
        .agg(published_arrivals=gaps.any() & all_queries.fill_null(False).any())
    )
