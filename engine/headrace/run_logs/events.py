"""A run's events as the published replay client logged them: run_metrics.csv, read and checked."""

import csv
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError

REPLAY = ("replay_start", "replay_end")
QUERY = ("query_start", "query_sleep", "query_ttft", "query_e2e_latency")
ENGINE = ("queued", "scheduled", "kv_on_gpu", "preempted_recompute", "preempted_swap", "finished")
COLUMNS = ("event_timestamp", "event_type", "query_id", "stream", "duration_secs")
OPTIONAL = ("request_id", "concurrent_requests")
MEASURED = {
    "duration_secs": ("query_ttft", "query_e2e_latency"),
    "concurrent_requests": ("preempted_recompute", "preempted_swap"),
}
"""The kinds of events whose numbers tables are made of."""
NOTHING = ("", "nan", "none", "null", "na")
WHOLE = r"^(\d+)\.0+$"
"""An id that went through a float."""
TRUTH = {"true": True, "1": True, "false": False, "0": False}
LARGEST = 2**31 - 1
UNITS = (1.0, 1e3, 1e6, 1e9)
"""How many of a stamp's units may be a second."""
UNIT_SLACK = 2.0
ISO = "%Y-%m-%dT%H:%M:%S%.f"
ZONE = r"(Z|[+-]\d\d:?\d\d)$"


@dataclass(slots=True)
class Events:
    """The events of one run in the order of the file, which need not be that of time.

    `table` has only the kinds REPLAY, QUERY and ENGINE; its columns are row (from 1, without the header),
    time_s (from replay_start), kind, query (its id, as text), duration_s and concurrent_requests (null where
    the log gives none).
    """

    file: Path
    sha256: str
    stream: bool
    table: pl.DataFrame

    def of(self, kind: str) -> pl.DataFrame:
        """The events of one kind."""
        return self.table.filter(kind=kind)

    @property
    def ended(self) -> bool:
        """Whether the replay came to its end; else it stopped before, or the log is cut."""
        return not self.of("replay_end").is_empty()

    def error(self, row: int | None, problem: str, remedy: str = "restore the file") -> HeadraceError:
        """A HeadraceError at a row of the file, or at the file."""
        return HeadraceError(f"{self.file}: row {row}" if row else self.file, problem, remedy)


def read_events(file: Path) -> Events:
    """Read a run_metrics.csv. Of times only differences count: seconds, or 10^-3, 10^-6, 10^-9 of them (the
    durations, which are in seconds, tell which) since any moment, or ISO 8601.

    Other columns and kinds of events, blank lines and numbers that no table is made of are not looked at.
    Raises HeadraceError for a file that is missing, unreadable, empty or cut short (a last line without its
    end, no replay_start), a missing column, a row without a kind, a time that is none, a replay that starts
    or ends twice, rows that disagree on `stream`, stamps in no unit that fits the durations, and a duration
    or count (`MEASURED`) that is none or below 0.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise HeadraceError(file, f"can't be read ({error.strerror})", "restore the file") from error
    raw = _rows(file, content)
    events = Events(file, hashlib.sha256(content).hexdigest(), _stream(file, raw), pl.DataFrame())
    missing = raw.filter(pl.col("event_type").is_null())
    if not missing.is_empty():
        raise events.error(missing["row"][0], "has no event_type: the row is cut")
    raw = raw.filter(pl.col("event_type").is_in([*REPLAY, *QUERY, *ENGINE]))
    events.table = pl.DataFrame(
        {
            "row": raw["row"],
            "time_s": _times(events, raw),
            "kind": raw["event_type"],
            "query": raw["query_id"],
            "request": raw["request_id"],
            "duration_s": _numbers(events, raw, "duration_secs"),
            "concurrent_requests": _numbers(events, raw, "concurrent_requests"),
        }
    )
    for kind in REPLAY:
        found = events.of(kind)
        if found.height > 1:
            raise events.error(found["row"][1], f"a second {kind}", "give one replay per log")
    if events.of("replay_start").is_empty():
        raise events.error(None, "no replay_start: the log is cut short")
    since_start = pl.col("time_s") - events.of("replay_start")["time_s"][0]
    events.table = _named_queries(events.table).with_columns(since_start / _units_per_second(events))
    return events


def stream_of(file: Path) -> bool | None:
    """What a run_metrics.csv, damaged or not, says first in its column `stream`; None if it says nothing."""
    with (
        suppress(OSError, UnicodeDecodeError, csv.Error),
        file.open(encoding="utf-8-sig", newline="") as lines,
    ):
        for row in csv.DictReader(lines):
            if row.get("stream"):
                return TRUTH.get(row["stream"].lower())
    return None


def _rows(file: Path, content: bytes) -> pl.DataFrame:
    header, _, rest = content.partition(b"\n")
    names = next(csv.reader([header.decode("utf-8-sig", errors="replace").strip()]), [])
    for column in COLUMNS:
        if column not in names:
            raise HeadraceError(file, f"column {column!r} is missing", f"columns: {', '.join(COLUMNS)}")
    last = rest.rpartition(b"\n")[2].decode(errors="replace")
    if not rest or (last and len(next(csv.reader([last]))) < len(names)):
        raise HeadraceError(file, "the last line is cut, or there is none", "restore the file")
    try:
        # All columns: of a selection Polars does not say when a row has too many fields.
        table = pl.read_csv(content, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        cause = str(error).strip().splitlines()[0]
        raise HeadraceError(file, f"not valid CSV ({cause})", "restore the file") from error
    absent = [pl.lit(None, pl.String).alias(column) for column in OPTIONAL if column not in names]
    table = table.with_columns(absent).select(pl.col(*COLUMNS, *OPTIONAL).str.strip_chars())
    empty = pl.all().str.to_lowercase().is_in(NOTHING)
    table = table.with_columns(pl.when(~empty).then(pl.all())).with_row_index("row", offset=1)
    ids = pl.col("query_id", "request_id").str.replace(WHOLE, "$1")
    return table.filter(~pl.all_horizontal(pl.exclude("row").is_null())).with_columns(ids)


def _stream(file: Path, raw: pl.DataFrame) -> bool:
    words = raw["stream"].str.to_lowercase().drop_nulls().unique().sort().to_list()
    if len(words) != 1 or words[0] not in TRUTH:
        have = " and ".join(map(repr, words[:3])) or "nothing"
        raise HeadraceError(file, f"column stream says {have}", "expected true, or false, in all rows")
    return TRUTH[words[0]]


def _times(events: Events, raw: pl.DataFrame) -> pl.Series:
    text = raw["event_timestamp"]
    times = text.cast(pl.Float64, strict=False)
    if times.null_count() == raw.height:
        text = text.str.replace(" ", "T", literal=True)
        zone = (
            {"format": f"{ISO}%#z", "time_zone": "UTC"} if text.str.contains(ZONE).any() else {"format": ISO}
        )
        stamps = text.str.to_datetime(time_unit="us", strict=False, **zone)
        times = stamps.dt.epoch("us").cast(pl.Float64) / 1e6
    wrong = raw.filter(~times.is_finite().fill_null(False))
    if not wrong.is_empty():
        row, said = wrong["row"][0], wrong["event_timestamp"][0]
        problem = f"event_timestamp is {said!r}" if said else "has no event_timestamp"
        raise events.error(row, problem, "give seconds, or ISO 8601, in all rows")
    return times


def _numbers(events: Events, raw: pl.DataFrame, column: str) -> pl.Series:
    """The numbers of a column, null where it has none; where an event is not `MEASURED`, junk is none."""
    numbers = raw[column].cast(pl.Float64, strict=False)
    sound = (numbers >= 0) & (numbers <= LARGEST)
    measured = raw["event_type"].is_in(MEASURED[column])
    wrong = raw.filter(measured & raw[column].is_not_null() & ~sound.fill_null(False))
    if not wrong.is_empty():
        raise events.error(
            wrong["row"][0], f"{column} is {wrong[column][0]!r}", f"give a number from 0 to {LARGEST}"
        )
    return numbers.set(~sound, None)


def _named_queries(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with the query of those events that name their request only."""
    pairs = table.filter(pl.col("query").is_not_null(), pl.col("request").is_not_null())
    named = pairs.group_by("request").agg(by_request=pl.col("query").first())
    whole = table.join(named, on="request", how="left", maintain_order="left")
    return whole.with_columns(pl.coalesce("query", "by_request").alias("query")).drop("request", "by_request")


def _units_per_second(events: Events) -> float:
    starts = events.of("query_start").select("query", begin="time_s")
    both = events.of("query_e2e_latency").join(starts, on="query")
    stamped, measured_s = (both["time_s"] - both["begin"]).median(), both["duration_s"].median()
    if not measured_s:
        return 1.0
    for unit in UNITS:
        if unit / UNIT_SLACK < stamped / measured_s < unit * UNIT_SLACK:
            return unit
    problem = f"queries take {stamped:.3g} by event_timestamp, {measured_s:.3g} s by duration_secs"
    raise events.error(None, problem, "give both in seconds")
