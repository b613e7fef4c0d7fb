"""The chunk table: every message of every query, as Parquet."""

from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError
from headrace.files import write_parquet

SCHEMA = {
    "world": pl.Int32,
    "query_id": pl.Int32,
    "chunk_index": pl.Int32,
    "offset_s": pl.Float64,
    "mode": pl.String,
    "prompt_tokens": pl.Int32,
    "common_prefix_tokens": pl.Int32,
    "final": pl.Boolean,
    "output_tokens": pl.Int32,
}
MODES = ("append", "update")


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Check the chunk table and write it atomically. Raises HeadraceError as `check_table` does."""
    write_parquet(path, check_table(table, path))


def read_table(path: Path) -> pl.DataFrame:
    """Read and check a chunk table. Raises HeadraceError for an unreadable file and as `check_table`."""
    return check_table(read_parquet(path), path)


def check_table(table: pl.DataFrame, place: Path) -> pl.DataFrame:
    """Return the columns of SCHEMA, checked, without any others.

    Rows are sorted by world, query_id and chunk_index; a query's chunks count up from 0, its offsets
    don't decrease, its last chunk alone is final. A chunk keeps at most the previous prompt and at most
    its own; an append keeps all of the previous prompt; chunk 0 keeps nothing.

    Raises HeadraceError that names the first row at fault, with its world, query and chunk.
    """
    table = conform(table, SCHEMA, place)
    c = pl.col
    key, previous = ("world", "query_id"), c("prompt_tokens").shift(fill_value=0)
    starts = pl.any_horizontal(c(name) != c(name).shift() for name in key).fill_null(True)
    inside = ~starts
    rules = [
        (pl.any_horizontal(c(*key, "chunk_index") < 0), "has a negative number", "count from 0"),
        (
            (c("world") < c("world").shift())
            | ((c("world") == c("world").shift()) & (c("query_id") < c("query_id").shift())),
            "is out of order",
            "sort by world, query_id, chunk_index",
        ),
        (inside & (c("chunk_index") == c("chunk_index").shift()), "is there twice", "give each chunk once"),
        (
            starts & (c("chunk_index") != 0),
            "begins a query",
            "a query begins with chunk 0, its rows together",
        ),
        (
            inside & (c("chunk_index") != c("chunk_index").shift() + 1),
            "follows a gap",
            "count chunks up by 1",
        ),
        (
            ~c("offset_s").is_finite() | (c("offset_s") < 0),
            "has a bad offset_s",
            "give seconds of at least 0",
        ),
        (inside & (c("offset_s") < c("offset_s").shift()), "goes back in time", "offset_s must not decrease"),
        (~c("mode").is_in(MODES), "has an unknown mode", f"known: {', '.join(MODES)}"),
        (c("prompt_tokens") < 1, "has an empty prompt", "prompt_tokens must be at least 1"),
        (c("output_tokens") < 1, "samples nothing", "output_tokens must be at least 1"),
        (c("common_prefix_tokens") < 0, "keeps less than nothing", "common_prefix_tokens must be at least 0"),
        (starts & (c("common_prefix_tokens") != 0), "keeps a prefix", "a first chunk has nothing to keep"),
        (
            inside & (c("common_prefix_tokens") > previous),
            "keeps more than the previous prompt",
            "lower common_prefix_tokens",
        ),
        (
            c("common_prefix_tokens") > c("prompt_tokens"),
            "keeps more than its prompt",
            "lower common_prefix_tokens",
        ),
        (
            inside & (c("mode") == "append") & (c("common_prefix_tokens") != previous),
            "appends but does not keep the previous prompt",
            "set common_prefix_tokens to the previous prompt_tokens",
        ),
        (
            inside & c("final").shift(fill_value=False),
            "follows a final chunk",
            "only a query's last chunk is final",
        ),
        (
            starts.shift(-1, fill_value=True) & ~c("final"),
            "ends its query but is not final",
            "a query's last chunk is final",
        ),
    ]
    refuse(table, rules, place, ("world", "query_id", "chunk_index"))
    return table


def conform(table: pl.DataFrame, schema: dict, place: Path) -> pl.DataFrame:
    """Return exactly the columns of `schema`, in its types and order.

    Raises HeadraceError for an empty table, a missing column, a null and a value of another type.
    """
    for name, kind in schema.items():
        if name not in table.columns:
            raise HeadraceError(place, f"column {name!r} is missing", f"needed are {', '.join(schema)}")
        if not _fits(table[name].dtype, kind):
            raise HeadraceError(f"{place}: column {name}", f"is {table[name].dtype}", f"make it {kind}")
    if table.is_empty():
        raise HeadraceError(place, "has no rows", "regenerate the file")
    try:
        table = table.select(pl.col(name).cast(kind) for name, kind in schema.items())
    except pl.exceptions.PolarsError as error:
        raise HeadraceError(
            place, f"has a value of the wrong type ({error})", "regenerate the file"
        ) from error
    for name, nulls in table.null_count().row(0, named=True).items():
        if nulls:
            raise HeadraceError(f"{place}: column {name}", f"has {nulls} empty values", "fill them")
    return table


def _fits(given: pl.DataType, wanted: pl.DataType) -> bool:
    """Whole numbers of any width do for a whole number, any number for a float."""
    if wanted.is_integer():
        return given.is_integer()
    return given.is_numeric() if wanted.is_float() else given == wanted


def refuse(table: pl.DataFrame, rules: list[tuple[pl.Expr, str, str]], place: Path, key: tuple) -> None:
    """Raise HeadraceError for the first rule (fault, problem, remedy) that a row breaks, naming the row
    (counted from 0) and its `key` columns."""
    faults = table.select(
        fault.fill_null(False).arg_true().first().alias(str(i)) for i, (fault, _, _) in enumerate(rules)
    ).row(0)
    for row, (_, problem, remedy) in zip(faults, rules, strict=True):
        if row is not None:
            names = ", ".join(f"{name} {table[int(row), name]}" for name in key)
            raise HeadraceError(f"{place}: row {row} ({names})", problem, remedy)


def read_parquet(path: Path) -> pl.DataFrame:
    """Read a Parquet file. Raises HeadraceError when it is missing, unreadable or cut short."""
    if not Path(path).is_file():
        raise HeadraceError(path, "no such file", "check the path or regenerate the file")
    try:
        return pl.read_parquet(path, hive_partitioning=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise HeadraceError(path, f"is no readable Parquet file ({error})", "regenerate the file") from error
