"""The configuration: one tree, put together from YAML files, checked before anything runs."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from headrace.errors import HeadraceError
from headrace.validation import Keys, Source, check

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"


def load(config: dict, files: Iterable[str | Path] = (), schema: Path = SCHEMA) -> dict:
    """The whole configuration: what the keys under `files:` name, with `config` on top, checked.

    `config` is what was merged from the YAML files `files` (later ones go on top of earlier ones)
    and the command line; `files` is only used to say where a wrong key stands. A file under the key
    `files.studies.stream2llm` is read into `studies.stream2llm`.

    Raises ConfigError with one line per problem: file, key, what is wrong, what would be right.
    """
    whole: dict = {}
    sources: list[Source] = []
    for keys, file in _leaves(config.get("files")):
        if isinstance(file, str):
            content = read(file)
            merge(whole, _at(keys, content))
            sources.append((file, keys, content))
    merge(whole, config)
    sources += [(str(file), (), read(file)) for file in files]
    check(whole, read(schema), sources)
    return whole


def read(path: str | Path) -> dict:
    """One YAML file. Raises HeadraceError when it is missing, unreadable, not YAML or not a mapping."""
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HeadraceError(path, "no such file", "check the path under files: in the config") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HeadraceError(path, f"can't be read ({error})", "check the file and its permissions") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}: line {mark.line + 1}" if mark else path
        problem = getattr(error, "problem", None) or "can't be parsed"
        raise HeadraceError(place, f"not valid YAML ({problem})", "correct the line") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise HeadraceError(path, "is not a mapping", "write key: value")
    return content


def read_all(paths: Iterable[str | Path]) -> dict:
    """`load` for YAML files without Snakemake: each goes on top of those before it."""
    paths, config = list(paths), {}
    for path in paths:
        merge(config, read(path))
    return load(config, paths)


def merge(base: dict, top: dict) -> None:
    """Put `top` on `base`, in place: mappings key by key, everything else replaced as a whole."""
    for key, value in top.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            merge(base[key], value)
        else:
            base[key] = _copy(value)


def _leaves(tree: object, keys: Keys = ()) -> Iterator[tuple[Keys, object]]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield from _leaves(value, (*keys, key))
    elif keys:
        yield keys, tree


def _at(keys: Keys, content: dict) -> dict:
    for key in reversed(keys):
        content = {key: content}
    return content


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [*map(_copy, value)] if isinstance(value, list) else value
