import os
import pickle
import resource
import signal
from pathlib import Path

import polars as pl
import pytest

from headrace.errors import HeadraceError, nearest
from headrace.files import atomic, atomic_folder, read_json, sha256, write_json, write_parquet, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.csv"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_folder_is_whole_or_the_old_one(tmp_path):
    target = tmp_path / "a" / "tables"
    with atomic_folder(target) as temporary:
        (temporary / "old").touch()
    with pytest.raises(ConnectionError), atomic_folder(target) as temporary:
        (temporary / "half").touch()
        raise ConnectionError
    assert [path.name for path in target.iterdir()] == ["old"]
    with atomic_folder(target) as temporary:
        (temporary / "new").touch()
    assert [path.name for path in target.iterdir()] == ["new"]
    assert list(target.parent.iterdir()) == [target]
    assert target.stat().st_mode & 0o555 == 0o555 & ~_umask()


def test_a_folder_that_can_not_be_made_is_one_line(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(HeadraceError, match=r"file/tables: can't be written"),
        atomic_folder(tmp_path / "file/tables"),
    ):
        pass


def test_missing_folders_are_made_and_the_file_is_readable_by_all(tmp_path):
    target = tmp_path / "a" / "b" / "table.csv"
    write_text(target, "x")
    assert target.read_text() == "x"
    assert target.stat().st_mode & 0o444 == 0o444 & ~_umask()


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


@pytest.fixture
def small_disk():
    """Writing beyond 4 KiB fails, as on a full disk (with EFBIG in place of ENOSPC)."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_is_full_is_one_line_and_leaves_nothing(tmp_path, small_disk):
    with pytest.raises(HeadraceError, match=r"table.json: can't be written .*; free disk space"):
        write_json(tmp_path / "table.json", list(range(5000)))
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_under_a_parquet_table_is_the_same_error(tmp_path, small_disk):
    frame = pl.DataFrame({"x": [i * 7919 % 104729 for i in range(20_000)]})
    with pytest.raises(HeadraceError, match=r"t.parquet: can't be written"):
        write_parquet(tmp_path / "t.parquet", frame)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HeadraceError, match="can't be written"):
        write_text(tmp_path / "file" / "table.csv", "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"a": 1,\n "b"', r"line 2: not valid JSON"),
        (b"\xff\xfe\x00", "can't be read"),
        (None, "no such file"),
    ],
)
def test_json_that_is_missing_cut_or_not_text_is_named(tmp_path, content, message):
    path = tmp_path / "model.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(HeadraceError, match=message) as error:
        read_json(path)
    assert str(path) in str(error.value) and "\n" not in str(error.value)


def test_hash_ignores_layout_but_not_content():
    assert sha256({"a": 1, "b": [1.5]}) == sha256({"b": [1.5], "a": 1})
    assert sha256({"a": 1}) != sha256({"a": 2})


def test_nan_is_never_written(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "x.json", {"a": float("nan")})
    assert list(Path(tmp_path).iterdir()) == []


def test_the_remedy_names_the_nearest_known_name_or_all():
    assert nearest("worlds_", ["worlds", "queries"]) == "did you mean 'worlds'?"
    assert nearest("zzz", ["b", "a"]) == "known: a, b"


def test_an_error_survives_the_way_between_processes():
    error = HeadraceError(Path("a.csv"), "no column x", "add it")
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error) == "a.csv: no column x; add it"
