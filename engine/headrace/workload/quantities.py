"""What the Stream2LLM study publishes about its workloads, measured on a chunk table."""

import polars as pl

PERCENTILES = (5, 25, 50, 75, 95, 99)
UNITS = {
    "total_tokens_per_query": "tokens",
    "query_duration": "s",
    "inter_chunk_time": "ms",
    "chunks_per_query": "chunks",
    "potential_invalidated_tokens": "tokens",
}


def statistics(table: pl.DataFrame) -> pl.DataFrame:
    """Statistics per world: world, quantity, unit, n, mean, std, min, p5, p25, p50, p75,
    p95, p99, max.

    total_tokens_per_query: the final prompt. query_duration: the last chunk's offset. chunks_per_query:
    its chunks (the crawler's search counts). inter_chunk_time: see `inter_chunk_time`.
    potential_invalidated_tokens: what the updates of a query would invalidate if everything had been
    computed when they came.

    Percentiles are linear between order statistics; std has n - 1 degrees of freedom. Rows are sorted by
    world, then as listed here.
    """
    c, later = pl.col, pl.col("chunk_index") > 0
    lost = pl.when(later).then(c("prompt_tokens").shift() - c("common_prefix_tokens")).otherwise(0)
    chunks = table.with_columns(inter_chunk_time(), potential_invalidated_tokens=lost)
    queries = chunks.group_by("world", "query_id", maintain_order=True).agg(
        c("prompt_tokens").last().alias("total_tokens_per_query"),
        c("offset_s").last().alias("query_duration"),
        pl.len().alias("chunks_per_query"),
        c("potential_invalidated_tokens").sum(),
    )
    gaps = chunks.filter(c("inter_chunk_time").is_not_null())
    rows = [_rows(gaps if quantity == "inter_chunk_time" else queries, quantity) for quantity in UNITS]
    order = {quantity: place for place, quantity in enumerate(UNITS)}
    return pl.concat(rows).sort("world", c("quantity").replace_strict(order, return_dtype=pl.Int8))


def inter_chunk_time() -> pl.Expr:
    """The gap (ms) that each row of a chunk table stands for; null where it stands for none.

    Between the rows of a crawler trace (chunk 0 is the search); between the starts of anns windows, that is
    all windows but the last, since a pool is sent at the end of its window (table chunk_arrivals).
    """
    c, later = pl.col, pl.col("chunk_index") > 0
    start_s = pl.when(later).then(c("offset_s").shift()).otherwise(0)
    between = pl.when(c("mode") == "append").then(later).otherwise(~c("final"))
    return pl.when(between).then((c("offset_s") - start_s) * 1000).alias("inter_chunk_time")


def _rows(values: pl.DataFrame, quantity: str) -> pl.DataFrame:
    value = pl.col(quantity).cast(pl.Float64)
    return values.group_by("world").agg(
        pl.lit(quantity).alias("quantity"),
        pl.lit(UNITS[quantity]).alias("unit"),
        pl.len().cast(pl.Int64).alias("n"),
        value.mean().alias("mean"),
        value.std().alias("std"),
        value.min().alias("min"),
        *(value.quantile(p / 100, interpolation="linear").alias(f"p{p}") for p in PERCENTILES),
        value.max().alias("max"),
    )
