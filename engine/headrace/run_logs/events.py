"""A run's events as the published replay client logged them: run_metrics.csv, read and checked."""

import csv
import hashlib
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError

REPLAY = ("replay_start", "replay_end")
QUERY = ("query_start", "query_sleep", "query_ttft", "query_e2e_latency")
ENGINE = ("queued", "scheduled", "kv_on_gpu", "preempted_recompute", "preempted_swap", "finished")
COLUMNS = (
    *("event_timestamp", "event_type", "query_id", "request_id"),
    *("stream", "duration_secs", "concurrent_requests"),
)
TRUTH = {"true": True, "1": True, "false": False, "0": False}
HEAD = 100
LARGEST = 2**31 - 1
ISO = "%Y-%m-%dT%H:%M:%S%.f"
ZONE = r"(Z|[+-]\d\d:?\d\d)$"


@dataclass(slots=True)
class Events:
    """The events of one run in the order of the file.

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

    def error(self, row: int | None, problem: str, remedy: str = "restore the file") -> HeadraceError:
        """A HeadraceError at a row of the file, or at the file."""
        return HeadraceError(f"{self.file}: row {row}" if row else self.file, problem, remedy)


def read_events(file: Path) -> Events:
    """Read a run_metrics.csv. Times may be seconds since any moment or ISO 8601: only differences count.

    Raises HeadraceError for a file that is missing, unreadable, empty or cut short (a last line without its
    end, no replay_end), a missing column, a row without a kind, a time that is none, a replay that starts or
    ends twice, rows that disagree on `stream`, and a duration or count below 0.
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
        if found.is_empty():
            raise events.error(None, f"no {kind}: the log is cut short")
        if found.height > 1:
            raise events.error(found["row"][1], f"a second {kind}", "give one replay per log")
    events.table = _named_queries(events.table).with_columns(
        pl.col("time_s") - events.of("replay_start")["time_s"][0]
    )
    return events


def stream_of(file: Path) -> bool | None:
    """What a run_metrics.csv, damaged or not, says first in its column `stream`; None if it says nothing."""
    with (
        suppress(OSError, UnicodeDecodeError, csv.Error),
        file.open(encoding="utf-8-sig", newline="") as lines,
    ):
        for row in islice(csv.DictReader(lines), HEAD):
            if row.get("stream"):
                return TRUTH.get(row["stream"].lower())
    return None


def _rows(file: Path, content: bytes) -> pl.DataFrame:
    header, _, rest = content.partition(b"\n")
    names = next(csv.reader([header.decode("utf-8-sig", errors="replace").strip()]), [])
    for column in COLUMNS:
        if column not in names:
            raise HeadraceError(file, f"column {column!r} is missing", f"columns: {', '.join(COLUMNS)}")
    if not rest.endswith(b"\n"):
        raise HeadraceError(file, "the last line is cut, or there is none", "restore the file")
    options = {"infer_schema": False, "row_index_name": "row", "row_index_offset": 1}
    try:
        # All columns: of a selection Polars does not say when a row has too many fields.
        return pl.read_csv(content, **options).select("row", *COLUMNS)
    except pl.exceptions.PolarsError as error:
        cause = str(error).strip().splitlines()[0]
        raise HeadraceError(file, f"not valid CSV ({cause})", "restore the file") from error


def _stream(file: Path, raw: pl.DataFrame) -> bool:
    words = raw["stream"].str.to_lowercase().drop_nulls().unique().sort().to_list()
    if len(words) != 1 or words[0] not in TRUTH:
        have = " and ".join(map(repr, words[:3])) or "nothing"
        raise HeadraceError(file, f"column stream says {have}", "expected true, or false, in all rows")
    return TRUTH[words[0]]


def _times(events: Events, raw: pl.DataFrame) -> pl.Series:
    text = raw["event_timestamp"].str.strip_chars()
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
        raise events.error(row, f"event_timestamp is {said!r}", "give seconds, or ISO 8601, in all rows")
    return times


def _numbers(events: Events, raw: pl.DataFrame, column: str) -> pl.Series:
    """The numbers of a column, null where there is none or NaN."""
    numbers = raw[column].str.strip_chars().cast(pl.Float64, strict=False).fill_nan(None)
    said = raw[column].is_not_null() & (raw[column].str.to_lowercase() != "nan")
    wrong = raw.filter((said & numbers.is_null()) | (numbers < 0) | (numbers > LARGEST))
    if not wrong.is_empty():
        raise events.error(
            wrong["row"][0], f"{column} is {wrong[column][0]!r}", f"give a number from 0 to {LARGEST}"
        )
    return numbers


def _named_queries(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with the query of those events that name their request only."""
    pairs = table.filter(pl.col("query").is_not_null(), pl.col("request").is_not_null())
    named = pairs.group_by("request").agg(by_request=pl.col("query").first())
    whole = table.join(named, on="request", how="left", maintain_order="left")
    return whole.with_columns(pl.coalesce("query", "by_request").alias("query")).drop("request", "by_request")
