import subprocess
import sys

import polars as pl
import pytest

from headrace.workload import read_table, write_table
from headrace.workload.table import SCHEMA

ROWS = [
    # world, query_id, chunk_index, offset_s, mode, prompt, common, final, output
    (0, 0, 0, 0.5, "append", 10, 0, False, 1),
    (0, 0, 1, 0.5, "append", 30, 10, False, 1),
    (0, 0, 2, 1.5, "append", 35, 30, True, 1),
    (0, 3, 0, 0.0, "update", 50, 0, False, 1),
    (0, 3, 1, 1.0, "update", 40, 40, True, 1),
    (1, 0, 0, 2.0, "append", 10, 0, True, 1),
]


def table_of(rows: list[tuple]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def test_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "a" / "workload.parquet"
    write_table(table_of(ROWS), path)
    assert read_table(path).equals(table_of(ROWS))
    assert read_table(path).schema == SCHEMA
    assert [child.name for child in path.parent.iterdir()] == ["workload.parquet"]


def test_wider_types_and_further_columns_are_fine(tmp_path):
    wide = table_of(ROWS).with_columns(pl.col("prompt_tokens", "world").cast(pl.Int64), extra=pl.lit("x"))
    wide.write_parquet(tmp_path / "wide.parquet")
    assert read_table(tmp_path / "wide.parquet").equals(table_of(ROWS))


@pytest.mark.parametrize(
    ("row", "column", "value", "words"),
    [
        (1, "offset_s", float("nan"), ("row 1 (world 0, query_id 0, chunk_index 1)", "bad offset_s")),
        (0, "offset_s", -0.1, ("row 0", "bad offset_s")),
        (3, "offset_s", float("inf"), ("row 3", "bad offset_s")),
        (2, "offset_s", 0.4, ("row 2", "goes back in time")),
        (1, "chunk_index", 0, ("row 1", "is there twice")),
        (2, "chunk_index", 3, ("row 2", "follows a gap")),
        (5, "chunk_index", 1, ("row 5", "a query begins with chunk 0")),
        (0, "chunk_index", -1, ("row 0", "negative")),
        (5, "world", -1, ("row 5", "negative")),
        (0, "query_id", 4, ("out of order",)),
        (1, "common_prefix_tokens", 11, ("row 1", "keeps more than the previous prompt")),
        (4, "common_prefix_tokens", 41, ("row 4", "keeps more than its prompt")),
        (4, "common_prefix_tokens", -1, ("row 4", "less than nothing")),
        (1, "common_prefix_tokens", 9, ("row 1", "appends but does not keep")),
        (3, "common_prefix_tokens", 1, ("row 3", "nothing to keep")),
        (2, "final", False, ("row 2", "ends its query but is not final")),
        (0, "final", True, ("row 1", "follows a final chunk")),
        (3, "mode", "replace", ("row 3", "unknown mode", "append, update")),
        (5, "prompt_tokens", 0, ("row 5", "empty prompt")),
        (5, "output_tokens", 0, ("row 5", "samples nothing")),
    ],
)
def test_names_the_row_at_fault(tmp_path, refused, row, column, value, words):
    rows = [list(each) for each in ROWS]
    rows[row][list(SCHEMA).index(column)] = value
    path = tmp_path / "bad.parquet"
    table_of(rows).write_parquet(path)
    with refused(str(path), *words):
        read_table(path)
    with refused(*words):
        write_table(table_of(rows), tmp_path / "new.parquet")
    assert not (tmp_path / "new.parquet").exists()


def test_refuses_rows_out_of_order(tmp_path, refused):
    with refused("row 1 (world 0", "out of order"):
        write_table(table_of([ROWS[5], *ROWS[:5]]), tmp_path / "x.parquet")
    with refused("row 2 (world 0, query_id 0", "out of order"):
        write_table(table_of([ROWS[3], ROWS[4], *ROWS[:3]]), tmp_path / "x.parquet")


def test_refuses_columns_that_are_missing_empty_or_of_another_type(tmp_path, refused):
    path, table = tmp_path / "bad.parquet", table_of(ROWS)
    table.drop("final").write_parquet(path)
    with refused(str(path), "column 'final' is missing"):
        read_table(path)
    table.clear().write_parquet(path)
    with refused(str(path), "has no rows"):
        read_table(path)
    table.with_columns(pl.col("prompt_tokens") + 0.5).write_parquet(path)
    with refused("column prompt_tokens", "is Float64", "make it Int32"):
        read_table(path)
    table.with_columns(final=pl.lit("yes")).write_parquet(path)
    with refused("column final", "is String", "make it Boolean"):
        read_table(path)
    table.with_columns(pl.col("query_id").cast(pl.Int64) + 2**40).write_parquet(path)
    with refused("bad.parquet", "wrong type"):
        read_table(path)
    table.with_columns(offset_s=None).with_columns(pl.col("offset_s").cast(pl.Float64)).write_parquet(path)
    with refused("column offset_s", "has 6 empty values"):
        read_table(path)


def test_refuses_files_that_are_no_parquet(tmp_path, refused):
    with refused("absent.parquet", "no such file"):
        read_table(tmp_path / "absent.parquet")
    path = tmp_path / "cut.parquet"
    write_table(table_of(ROWS), path)
    path.write_bytes(path.read_bytes()[:-20])
    with refused(str(path), "no readable Parquet file"):
        read_table(path)
    path.write_bytes(b"")
    with refused(str(path), "no readable Parquet file"):
        read_table(path)


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    """A limit on the size of files stands in for the disk: both end a write midway."""
    program = """
import resource, signal, sys
from pathlib import Path
from headrace.errors import HeadraceError
from headrace.workload import write_arrivals
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_arrivals(5000, 1, 1, Path(sys.argv[1]))
except HeadraceError as error:
    print(error)
"""
    command = [sys.executable, "-c", program, str(tmp_path / "x.parquet")]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.startswith(f"{tmp_path / 'x.parquet'}: can't be written (File too large); free disk space")
    assert list(tmp_path.iterdir()) == []
