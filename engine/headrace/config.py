"""The configuration: one tree, put together from YAML files, checked before anything runs."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import yaml

from headrace.errors import HeadraceError
from headrace.files import read_yaml
from headrace.validation import Keys, Source, check

SCHEMA = Path(__file__).parents[2] / "workflow" / "schemas" / "config.schema.yaml"


def load(
    config: dict,
    files: Iterable[str | Path] = (),
    command_line: dict | None = None,
    schema: Path = SCHEMA,
) -> dict:
    """The whole configuration: what the keys under `files:` name, with `config` on top, checked.

    `config` is what was merged from the YAML files `files` (later ones go on top of earlier ones)
    and the command line; `files` is only used to say where a wrong key stands. `command_line` is what
    --config gave: Snakemake leaves all scalars in its mappings as text, here they get their types. A
    file under the key `files.studies.stream2llm` is read into `studies.stream2llm`.

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
    merge(whole, _typed(command_line or {}))
    sources += [(str(file), (), read(file)) for file in files]
    check(whole, read(schema), sources)
    return whole


def read(path: str | Path) -> dict:
    """One YAML file of keys. Raises HeadraceError as `read_yaml` does, and when it is not a mapping."""
    content = read_yaml(path)
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


def _typed(value: object) -> object:
    """The same tree with every text that YAML reads as a number, truth or null turned into it."""
    if isinstance(value, dict):
        return {key: _typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [*map(_typed, value)]
    return _scalar(value) if isinstance(value, str) else value


def _scalar(text: str) -> str | int | float | bool | None:
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        return text
    return value if value is None or isinstance(value, int | float) else text


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    return [*map(_copy, value)] if isinstance(value, list) else value
