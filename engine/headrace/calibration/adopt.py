"""Fitted values written into the configuration's files, where they stand."""

from pathlib import Path

import yaml

from headrace.calibration.document import fitted_values, read_document
from headrace.calibration.scalars import replace_scalar
from headrace.errors import HeadraceError
from headrace.files import read_text, write_text
from headrace.trial import changed


def adopt(result: Path, files: dict, root: Path, kept: Path) -> list[Path]:
    """Write the fitted values of the document `result` into the YAML files; copy it to `kept`.

    files: the configuration's key `files`; its paths are relative to `root`. Only the scalars change:
    comments, layout, anchors and aliases stay. Returns the files that changed. Nothing is written when a
    value can't be: HeadraceError where a path is in no file or on no line of its own, and where the file
    would then say anything else.
    """
    values, texts = fitted_values(read_document(result)), {}
    by_file: dict[Path, dict[str, float]] = {}
    for path, value in values.items():
        file, inner = _stands_in(path, files)
        by_file.setdefault(root / file, {})[inner] = value
    for file, inner in by_file.items():
        texts[file] = edited(read_text(file), inner, file)
    touched = [file for file, text in texts.items() if text != read_text(file)]
    for file in touched:
        write_text(file, texts[file])
    write_text(kept, read_text(result))
    return touched


def edited(text: str, values: dict[str, float], file: object) -> str:
    """The YAML `text` with other values at paths; `file` names it in errors. Raises as `adopt`."""
    # What an alias repeats is one object, so that a change shows wherever it stands.
    wanted = changed(yaml.safe_load(text), values)
    for path, value in values.items():
        keys = path.split("/")
        if _at(yaml.safe_load(text), keys) == value:
            continue  # it stands there, or an alias leads to where it was just written
        text = replace_scalar(text, keys, value, file)
    if yaml.safe_load(text) != wanted:
        problem = "would say something else than before, not only the fitted values"
        raise HeadraceError(file, problem, "write them by hand")
    return text


def _stands_in(path: str, files: dict) -> tuple[str, str]:
    """The file of a path of the configuration, and the path in it."""
    place, keys = files, path.split("/")
    for depth, key in enumerate(keys):
        if isinstance(place, str):
            return place, "/".join(keys[depth:])
        if not isinstance(place, dict) or key not in place:
            break
        place = place[key]
    raise HeadraceError(path, "stands in no file of the configuration's key files", "write it by hand")


def _at(content: object, keys: list[str]) -> object:
    for key in keys:
        content = content[key]
    return content
