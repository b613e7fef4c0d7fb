"""A run's events as the tables of a cell: one row per request, one row per event of the engine."""

from collections.abc import Iterator

import polars as pl

from headrace.run_logs.events import ENGINE, Events

UNANSWERED = 0.01
"""Share of queries that may go without an answer: 13 of 4,322 crawler traces have no content to send."""
CLOCK_S = 1.0
"""By this much stamps may cross: several tasks log a query, on a loop that blocks, or in whole seconds."""
STALL_S = 5.0
DISAGREEMENT = 0.1
"""By this share, or by `STALL_S`, a query's stamps may disagree with its durations."""
SCHEMA = {
    "world": pl.Int32,
    "request_id": pl.Int32,
    **dict.fromkeys(("arrival_s", "opened_s", "handed_over_s", "last_chunk_s", "first_token_s"), pl.Float64),
    **dict.fromkeys(("finished_s", "ttft_s", "e2e_s"), pl.Float64),
    **dict.fromkeys(("prompt_tokens", "output_tokens", "computed_tokens", "invalidated_tokens"), pl.Int32),
    **dict.fromkeys(("preemptions_recompute", "preemptions_swap", "chunks"), pl.Int32),
}
EVENTS = {
    "world": pl.Int32,
    "request_id": pl.Int32,
    "time_s": pl.Float64,
    "kind": pl.String,
    "duration_s": pl.Float64,
    "concurrent_requests": pl.Int32,
}


def queries_of(events: Events) -> pl.DataFrame:
    """One row per query that started (query, request_id, the times of `SCHEMA`), in the order of starts.

    request_id is the query's id where all ids are whole numbers, else its place in that order. The hand-over
    is the first token's time less the logged TTFT. A streamed query opens after its first sleep; another one
    is handed over whole, in one piece. A query that was not answered (no first token, or no end) has none of
    these times. Raises HeadraceError for a query that starts, answers or ends twice, for one without an
    answer in a log without its end, for more than `UNANSWERED` of them, and for times that cannot be
    (`_check_times`).
    """
    starts = _once(events, "query_start").select("query", "row", arrival_s="time_s")
    if starts.is_empty():
        raise events.error(None, "no query_start: it holds no query")
    table = starts.join(_durations(events, "query_ttft", "first_token_s", "ttft_s"), on="query", how="left")
    table = table.join(_durations(events, "query_e2e_latency", "finished_s", "e2e_s"), on="query", how="left")
    table = table.join(_first_sleep(events), on="query", how="left").sort("arrival_s", "row")
    _check_answers(events, table)
    answered = pl.col("ttft_s").is_not_null() & pl.col("e2e_s").is_not_null()
    times = pl.col("ttft_s", "first_token_s", "e2e_s", "finished_s")
    table = table.with_columns(pl.when(answered).then(times))
    table = table.with_columns(handed_over_s=pl.col("first_token_s") - pl.col("ttft_s"))
    opened = pl.min_horizontal(pl.col("arrival_s") + pl.col("sleep_s"), "handed_over_s")
    opened = (
        pl.when(pl.col("sleep_s").is_not_null()).then(opened) if events.stream else pl.col("handed_over_s")
    )
    table = table.with_columns(opened_s=opened)
    _check_times(events, table)
    return _numbered(table)


def requests_table(events: Events, queries: pl.DataFrame, invalidated: pl.DataFrame | None) -> pl.DataFrame:
    """The requests table of world 0 (`SCHEMA`); null where the log does not say.

    `invalidated` has query and invalidated_tokens; None where that is unknown. Chunks are the query's sleeps,
    of which one comes before each hand-over; a query that is not streamed has one.
    """
    known = {"preemptions_recompute": 0, "preemptions_swap": 0}
    for kind in ("recompute", "swap"):
        counts = events.of(f"preempted_{kind}").group_by("query").agg(pl.len().alias(f"preemptions_{kind}"))
        queries = queries.join(counts, on="query", how="left")
    if events.stream:
        sleeps = events.of("query_sleep").group_by("query").agg(chunks=pl.len())
        queries = queries.join(sleeps, on="query", how="left")
    else:
        known["chunks"] = 1
        queries = queries.with_columns(chunks=pl.lit(None))
    if invalidated is not None:
        queries = queries.join(invalidated, on="query", how="left")
    queries = queries.with_columns(pl.col(name).fill_null(value) for name, value in known.items())
    blank = [pl.lit(None).alias(name) for name in SCHEMA if name not in queries.columns]
    queries = queries.with_columns(*blank).with_columns(world=pl.lit(0))
    return queries.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items()).sort("request_id")


def events_table(events: Events, queries: pl.DataFrame) -> pl.DataFrame:
    """The engine's events of all requests (`EVENTS`), in the order of the file; no others."""
    engine = events.table.filter(pl.col("kind").is_in(ENGINE))
    ids = queries.select("query", "request_id")
    engine = engine.join(ids, on="query", how="inner", maintain_order="left").with_columns(world=pl.lit(0))
    return engine.select(pl.col(name).cast(kind) for name, kind in EVENTS.items())


def remarks(events: Events, queries: pl.DataFrame) -> Iterator[str]:
    """What a run that can be read leaves open."""
    if not events.ended:
        yield "no replay_end: the replay stopped, or the log is cut between two queries"
    silent = queries.filter(pl.col("ttft_s").is_null())
    if not silent.is_empty():
        said = f"{silent.height} of {queries.height} queries were not answered"
        yield f"{said}, query {silent['query'][0]} for one"
    strangers = events.table.filter(pl.col("kind").is_in(ENGINE)).join(queries, on="query", how="anti").height
    if strangers:
        yield f"{strangers} events of the engine belong to no query that started"
    uncounted = events.table.filter(
        pl.col("kind").str.starts_with("preempted_"), pl.col("concurrent_requests").is_null()
    ).height
    if uncounted:
        yield f"{uncounted} preemptions do not say how many requests were ongoing"


def _once(events: Events, kind: str) -> pl.DataFrame:
    """The events of a kind that comes once per query."""
    found = events.of(kind)
    nameless = found.filter(pl.col("query").is_null())
    if not nameless.is_empty():
        raise events.error(nameless["row"][0], f"{kind} has no query_id")
    twice = found.filter(~pl.col("query").is_first_distinct())
    if not twice.is_empty():
        problem = f"a second {kind} of query {twice['query'][0]}"
        raise events.error(twice["row"][0], problem, "give each query of one replay once")
    return found


def _durations(events: Events, kind: str, time: str, duration: str) -> pl.DataFrame:
    found = _once(events, kind)
    strange = found.join(events.of("query_start"), on="query", how="anti")
    if not strange.is_empty():
        raise events.error(strange["row"][0], f"query {strange['query'][0]} has no query_start")
    empty = found.filter(pl.col("duration_s").is_null())
    if not empty.is_empty():
        raise events.error(empty["row"][0], f"{kind} has no duration_secs")
    return found.select("query", pl.col("time_s").alias(time), pl.col("duration_s").alias(duration))


def _first_sleep(events: Events) -> pl.DataFrame:
    sleeps = events.of("query_sleep").drop_nulls("query").sort("time_s", maintain_order=True)
    return sleeps.group_by("query", maintain_order=True).agg(sleep_s=pl.col("duration_s").first())


def _check_answers(events: Events, table: pl.DataFrame) -> None:
    for column, kind in (("ttft_s", "query_ttft"), ("e2e_s", "query_e2e_latency")):
        missing = table.filter(pl.col(column).is_null())
        said = f"{missing.height} of {table.height} queries have no {kind}"
        if missing.height and not events.ended:
            problem = f"no replay_end, and {said}, query {missing['query'][0]} for one: the log is cut short"
            raise events.error(None, problem)
        if missing.height > UNANSWERED * table.height:
            remedy = f"restore the file; up to {UNANSWERED:.0%} may fail"
            raise events.error(None, f"{said}, query {missing['query'][0]} for one", remedy)


def _check_times(events: Events, table: pl.DataFrame) -> None:
    """Stamps of a query in order, hand-overs after starts, and stamps that agree with durations."""
    late = CLOCK_S
    stamped_s = pl.col("finished_s") - pl.col("arrival_s")
    faults = {
        "starts before replay_start": pl.col("arrival_s") < -late,
        "has its first token before it starts": pl.col("first_token_s") < pl.col("arrival_s") - late,
        "ends before its first token": pl.col("finished_s") < pl.col("first_token_s") - late,
        "has a TTFT longer than the time since its start": pl.col("handed_over_s")
        < pl.col("arrival_s") - late,
        "takes another time by event_timestamp than by duration_secs": (stamped_s - pl.col("e2e_s")).abs()
        > pl.max_horizontal(DISAGREEMENT * pl.col("e2e_s"), STALL_S),
    }
    for problem, wrong in faults.items():
        found = table.filter(wrong)
        if not found.is_empty():
            raise events.error(found["row"][0], f"query {found['query'][0]} {problem}")


def _numbered(table: pl.DataFrame) -> pl.DataFrame:
    numbers = table["query"].cast(pl.Int32, strict=False)
    if numbers.has_nulls() or not numbers.is_unique().all():
        numbers = pl.int_range(table.height, dtype=pl.Int32, eager=True)
    return table.with_columns(request_id=numbers)
