"""The requests table of a cell, read and checked."""

from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError

TIMES = ("arrival_s", "opened_s", "handed_over_s", "first_token_s", "finished_s", "ttft_s", "e2e_s")
COUNTS = (
    "world",
    "request_id",
    "prompt_tokens",
    "output_tokens",
    "invalidated_tokens",
    "preemptions_recompute",
    "preemptions_swap",
)
COLUMNS = (*COUNTS, *TIMES)
ALWAYS = ("arrival_s", *COUNTS)
UNKNOWN = {"published": ("opened_s", "prompt_tokens", "output_tokens", "invalidated_tokens")}
"""What a backend need not say: run logs give no sizes, and not everyone gives the rest."""


def requests_file(cell: Path) -> Path:
    """The requests table of a cell that is named by its folder or by the table itself."""
    return cell / "requests.parquet" if cell.is_dir() else cell


def read_requests(path: Path) -> pl.DataFrame:
    """One row per world and request, sorted by both; only the columns that metrics and figures use.

    A request that was refused has no first token: its `ttft_s` is null; so is what the backend need not say
    (`UNKNOWN`; the backend is the one of the cell's folder). Raises HeadraceError for a missing, truncated or
    empty file, a missing column, a row twice, a missing value, a time that is not finite, and a first token
    before the hand-over that it answers.
    """
    if not path.exists():
        raise HeadraceError(path, "no such file", "run the cell first")
    try:
        missing = [column for column in COLUMNS if column not in pl.read_parquet_schema(path)]
        if missing:
            raise HeadraceError(path, f"misses column {missing[0]!r}", "run the cell again with this version")
        table = pl.read_parquet(path, columns=list(COLUMNS))
    except (OSError, pl.exceptions.PolarsError) as error:
        cause = str(error).splitlines()[0]
        raise HeadraceError(
            path, f"not a whole Parquet file ({cause})", "delete it and run the cell again"
        ) from error
    if table.is_empty():
        raise HeadraceError(path, "holds no request", "delete it and run the cell again")
    try:
        table = table.with_columns(pl.col(TIMES).cast(pl.Float64).fill_nan(None))
        table = table.with_columns(pl.col(COUNTS).cast(pl.Int64)).sort("world", "request_id")
    except pl.exceptions.PolarsError as error:
        cause = str(error).splitlines()[0]
        raise HeadraceError(path, f"no table of requests ({cause})", "run the cell again") from error
    _check(path, table)
    return table


def _check(path: Path, table: pl.DataFrame) -> None:
    served = pl.col("first_token_s").is_not_null()
    unknown = {
        name for backend, names in UNKNOWN.items() if f"backend={backend}" in path.parts for name in names
    }
    always, times = ([name for name in names if name not in unknown] for names in (ALWAYS, TIMES))
    faults = {
        "the request is there twice": table.select("world", "request_id").is_duplicated(),
        "a value is missing": table.select(
            pl.any_horizontal(pl.col(always).is_null())
            | (served & pl.any_horizontal(pl.col(times).is_null()))
        ).to_series(),
        "a time is not finite": table.select(pl.any_horizontal(pl.col(TIMES).is_infinite())).to_series(),
        "ttft_s is negative": table.select(pl.col("ttft_s") < 0).to_series(),
    }
    for problem, rows in faults.items():
        if rows.fill_null(False).any():
            row = table.filter(rows.fill_null(False)).row(0, named=True)
            place = f"{path}: world {row['world']}, request {row['request_id']}"
            raise HeadraceError(place, problem, "delete the file and run the cell again")
