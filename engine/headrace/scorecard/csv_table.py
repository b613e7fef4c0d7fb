"""Tables that a rule wrote as CSV, read back."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError


def read_csv_table(path: Path, columns: Mapping[str, type[pl.DataType]], make: str) -> pl.DataFrame:
    """The table at `path` with at least these columns, of these types.

    `make` says how it is made. Raises HeadraceError when it is missing, cut short or another table.
    """
    try:
        table = pl.read_csv(path, schema_overrides=columns)
    except FileNotFoundError:
        raise HeadraceError(path, "no such file", f"make it first: {make}") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        cause = str(error).splitlines()[0]
        raise HeadraceError(path, f"can't be read ({cause})", f"make it again: {make}") from error
    for column in columns:
        if column not in table.columns:
            raise HeadraceError(path, f"misses column {column!r}", f"expected {', '.join(columns)}")
    return table
