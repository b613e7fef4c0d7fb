"""Files that are either whole or not there, and hashes of what was read."""

import hashlib
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.errors import HeadraceError

if TYPE_CHECKING:
    import polars


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` on success, remove it on failure.

    Raises HeadraceError when the disk is full or the folder can't be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _unwritable(path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: str | Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; it takes the place of `path` on success, and goes on failure.

    Raises HeadraceError when it can't be made or can't take that place.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise _unwritable(path, error) from error
    try:
        yield temporary
        _replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_text(path: str | Path, text: str) -> None:
    """Write `text` atomically, as UTF-8."""
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_parquet(path: str | Path, frame: "polars.DataFrame") -> None:
    """Write a polars frame atomically (by way of memory: polars hides the cause when a disk is full)."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())


def write_json(path: str | Path, value: object) -> None:
    """Write `value` atomically as indented JSON with sorted keys; NaN is refused."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n")


def read_text(path: str | Path) -> str:
    """The text of a UTF-8 file, line ends as they are. Raises HeadraceError when it can't be read."""
    try:
        return Path(path).read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise HeadraceError(path, "no such file", "check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HeadraceError(path, f"can't be read ({error})", "check the file and its permissions") from error


def read_json(path: str | Path, **options: object) -> object:
    """Parse a JSON file; `options` as of json.loads.

    Raises HeadraceError when it is missing, unreadable or cut short.
    """
    text = read_text(path)
    try:
        return json.loads(text, **options)
    except json.JSONDecodeError as error:
        raise HeadraceError(
            f"{path}: line {error.lineno}", f"not valid JSON ({error.msg})", "restore or regenerate the file"
        ) from error


def read_yaml(path: str | Path) -> object:
    """Parse a YAML file. Raises HeadraceError when it is missing, unreadable or not YAML."""
    import yaml

    text = read_text(path)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}: line {mark.line + 1}" if mark else path
        problem = getattr(error, "problem", None) or "it can't be parsed"
        raise HeadraceError(place, f"not valid YAML ({problem})", "correct the line") from error


def sha256(value: object) -> str:
    """Hash of a JSON-able value, independent of key order and layout."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _replace_folder(new: Path, path: Path) -> None:
    try:
        if path.exists():
            shutil.rmtree(path)
        new.chmod(0o777 & ~_umask())
        new.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _unwritable(path: Path, error: OSError) -> HeadraceError:
    return HeadraceError(
        path, f"can't be written ({error.strerror})", "free disk space or fix the folder's permissions"
    )
