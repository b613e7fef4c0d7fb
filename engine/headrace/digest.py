"""One digest for the sources behind a call, so that an edit re-runs what it changed and nothing else.

Workflow engines track a script's own text, not the modules that it imports. A rule therefore names
the modules whose functions it calls, and carries their digest as a parameter.
"""

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from headrace.errors import HeadraceError

SOURCES = Path(__file__).parent.parent
PACKAGE = Path(__file__).parent.name
ASSETS = (".css", ".js")


def digest(*modules: str, skip: Iterable[str] = ()) -> str:
    """SHA-256 over the sources of `modules` and of all modules of the package that they import.

    An import inside a function counts. `from headrace.x import name` follows `name` to the module
    that the package re-exports it from, not to all that the package holds. Style and script of a page
    belong to the module of the same name. What is imported by a
    name made at run time (a policy) has to be named by the caller. Imports of the modules in `skip`
    are not followed: the alternatives that a call does not take (the generators of other workloads).

    Raises HeadraceError for a module that does not exist.
    """
    skipped = {_file(module) for module in skip}
    found: set[Path] = set()
    for module in modules:
        file = _file(module)
        if file is None:
            raise HeadraceError("digest", f"no module {module!r} in {SOURCES}", "check the rule's params")
        _collect(file, found, skipped)
    whole = hashlib.sha256()
    for file in sorted(found):
        whole.update(f"{file.relative_to(SOURCES).as_posix()}\0".encode())
        whole.update(file.read_bytes())
    return whole.hexdigest()


def listing(folder: str | Path) -> str:
    """SHA-256 over names, sizes and times of the files in a folder, at any depth, links followed.

    It changes when a file does; contents are not read, since traces can be large.
    """
    whole = hashlib.sha256()
    for file in sorted(_files(Path(folder))):
        if file.is_file():
            stat = file.stat()
            whole.update(
                f"{file.relative_to(folder).as_posix()}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode()
            )
    return whole.hexdigest()


def _files(folder: Path) -> Iterator[Path]:
    """All that is no folder below one; links that lead back up are not followed."""
    for here, folders, names in os.walk(folder, followlinks=True):
        real = Path(here).resolve()
        folders[:] = [name for name in folders if not real.is_relative_to((real / name).resolve())]
        yield from (Path(here) / name for name in names)


def _collect(file: Path, found: set[Path], skipped: set[Path | None]) -> None:
    if file not in found and file not in skipped:
        found.add(file)
        found.update(_assets(file))
        for imported in _imports(file):
            _collect(imported, found, skipped)


@cache
def _assets(file: Path) -> frozenset[Path]:
    """What a page's module reads from beside it: files of its name with the endings in `ASSETS`."""
    return frozenset(asset for ending in ASSETS if (asset := file.with_suffix(ending)).is_file())


@cache
def _imports(file: Path) -> frozenset[Path]:
    """Files of the package that one file imports directly."""
    files = set()
    for node in ast.walk(_tree(file)):
        if isinstance(node, ast.Import):
            files.update(_file(alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                files.update(_origins(node.module, alias.name))
    return frozenset(files - {None})


def _origins(module: str, name: str) -> set[Path]:
    """The files that `from module import name` stands for."""
    submodule, file = _file(f"{module}.{name}"), _file(module)
    if submodule is not None:
        return {submodule}
    if file is None:
        return set()
    if file.name != "__init__.py":
        return {file}
    for node in _tree(file).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name and _file(node.module):
                    return _origins(node.module, alias.name)
    if name in _defined(file):
        return {file}
    return set(file.parent.rglob("*.py"))  # made at run time: any of them may be behind it


def _defined(file: Path) -> set[str]:
    names = set()
    for node in _tree(file).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names.update(target.id for target in targets if isinstance(target, ast.Name))
    return names


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def _file(module: str) -> Path | None:
    """The source file of a module of this package; None for modules of others."""
    if module.split(".")[0] != PACKAGE:
        return None
    path = SOURCES.joinpath(*module.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None
