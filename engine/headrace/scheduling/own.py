"""Policies of one's own: a class in a file anywhere, and who is to blame when it fails."""

import importlib.util
import inspect
import sys
import traceback
from pathlib import Path
from types import ModuleType

from headrace.errors import HeadraceError, nearest
from headrace.scheduling.two_phase import Policy

SCHEDULER = ("event", "plan", "stepped")


def own_file(policy: str) -> Path | None:
    """The file of "path/to/mine.py:Mine"; None for the name of a policy that is built in."""
    file, _ = _file_and_class(policy)
    return Path(file) if file.endswith(".py") else None


def _file_and_class(policy: str) -> tuple[str, str]:
    if policy.endswith(".py"):
        return policy, ""
    file, _, name = policy.rpartition(":")
    return file, name


def load_own(policy: str) -> type:
    """The class of "path/to/mine.py:Mine": a subclass of Policy, or a scheduler of its own.

    Raises HeadraceError for a file that is missing or fails (with its line), a class that is not in it,
    and a class that is neither.
    """
    file, (_, name) = own_file(policy), _file_and_class(policy)
    if not file.is_file():
        raise HeadraceError(f"policy {policy}", f"no such file {file}", "give the path of the policy's file")
    try:
        module = _module(file)
    except (Exception, SystemExit) as error:  # Whatever a file of the user's raises.
        raise fault(policy, error) from error
    found = getattr(module, name, None)
    if not isinstance(found, type):
        values = vars(module).values()
        classes = [c.__name__ for c in values if isinstance(c, type) and c.__module__ == module.__name__]
        remedy = nearest(name, classes) if classes else "define one derived from headrace.scheduling.Policy"
        problem = f"{file} defines no class {name}" if name else f"names no class: {file}:Name is right"
        raise HeadraceError(f"policy {policy}", problem, remedy)
    _check(found, policy)
    return found


def fault(policy: str, error: BaseException) -> HeadraceError:
    """What to say of an error while a policy of one's own was loaded or served: its line, if it is there.

    An error outside the file is laid at its door all the same: the policies built in raise none.
    """
    file, text = own_file(policy).absolute(), str(error)
    frames = [(Path(f.filename), f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    lines = [line for path, line in frames if path.absolute() == file]
    served = any(path.name == "simulator.py" for path, _ in frames)
    remedy = "check what its plan does" if served and not lines else "correct the file"
    if isinstance(error, OSError) and not lines:
        remedy = "give a file that can be read"
    elif isinstance(error, SyntaxError) and error.filename and Path(error.filename).absolute() == file:
        lines, text, remedy = [error.lineno], error.msg, "correct the line"
    elif isinstance(error, AttributeError) and error.name and error.obj is not None:
        remedy = nearest(error.name, [name for name in dir(error.obj) if not name.startswith("_")])
    elif not lines and any(path.name == "order.py" for path, _ in frames):
        remedy = "key must give tuples that compare with each other, one per request"
    place = f"{own_file(policy)}: line {lines[-1]}" if lines else f"policy {policy}"
    return HeadraceError(place, f"{type(error).__name__}: {text}", remedy)


def _check(cls: type, policy: str) -> None:
    """Raise HeadraceError unless the class is a Policy with a key, or has all that a Scheduler has."""
    place = f"policy {policy}"
    if issubclass(cls, Policy):
        if cls.key is Policy.key:
            raise HeadraceError(place, f"{cls.__name__} has no key", "define key(request), a staticmethod")
        if not _takes(cls.key, 1):
            raise HeadraceError(
                place, f"key takes {inspect.signature(cls.key)}", "write @staticmethod and key(request)"
            )
        return
    missing = [name for name in SCHEDULER if not callable(getattr(cls, name, None))]
    if missing:
        raise HeadraceError(
            place,
            f"{cls.__name__} is no Policy, and no Scheduler without {', '.join(missing)}",
            "derive it from headrace.scheduling.Policy",
        )
    if not _takes(cls, 2):
        raise HeadraceError(
            place, f"{cls.__name__} takes {inspect.signature(cls)}", "__init__ takes eviction and limits"
        )


def _takes(function: object, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def _module(file: Path) -> ModuleType:
    """The file as a module; dataclasses look their module up in sys.modules.

    No bytecode is kept: that would be litter beside the user's file, and out of date after an edit within
    the same second.
    """
    name = f"headrace_own_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    keeps_none, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = keeps_none
    return module
