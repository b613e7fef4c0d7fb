"""The axes of a cell: the key=value folders that its tables lie in."""

from collections.abc import Callable
from pathlib import Path

from headrace.errors import HeadraceError

Axes = dict[str, str | int | bool | float]


def _truth(text: str) -> bool:
    return {"true": True, "false": False}[text]


TYPES: dict[str, Callable[[str], str | int | bool | float]] = {
    "backend": str,
    "hardware": str,
    "workload": str,
    "delay": int,
    "eviction": str,
    "policy": str,
    "stream": _truth,
    "qps": float,
}


def axes_of(path: Path) -> Axes:
    """Typed axes of the cell whose table is `path`, read from its eight parent folders.

    Raises HeadraceError when a folder is not `key=value`, out of order or of the wrong type.
    """
    folders = path.parent.parts[-len(TYPES) :]
    layout = "/".join(f"{key}=.." for key in TYPES)
    if len(folders) < len(TYPES):
        raise HeadraceError(path, "lies outside a cell's folders", f"expected {layout}/{path.name}")
    axes: Axes = {}
    for folder, (key, kind) in zip(folders, TYPES.items(), strict=True):
        found, _, text = folder.partition("=")
        if found != key or not text:
            raise HeadraceError(
                path, f"folder {folder!r} should give {key}", f"expected {layout}/{path.name}"
            )
        try:
            axes[key] = kind(text)
        except (KeyError, ValueError):
            right = "true or false" if kind is _truth else f"a number, such as {key}=1"
            raise HeadraceError(path, f"folder {folder!r} has a wrong value", f"expected {right}") from None
    return axes
