"""What is wrong with a configuration: one line per problem, at the file and key where it stands."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

from headrace.errors import HeadraceError, nearest
from headrace.scheduling import EVICTIONS, POLICIES

Keys = tuple[str | int, ...]
Source = tuple[str, Keys, dict]


class ConfigError(HeadraceError):
    """Everything that is wrong with a configuration, one line per problem."""

    def __init__(self, problems: list[HeadraceError]):
        first = problems[0]
        super().__init__(first.place, first.problem, first.remedy)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def check(config: dict, schema: dict, sources: list[Source]) -> None:
    """Raise ConfigError if the schema refuses `config`, or if it names what does not exist.

    sources: (file, the key its content stands under, content), later ones on top of earlier ones.
    """
    places = _Places(sources)
    problems = [*_misfits(config, schema, places), *_not_finite(config, places)]
    problems = problems or [*_contradictions(config, places)]
    if problems:
        raise ConfigError([*{str(problem): problem for problem in problems}.values()])


class _Places:
    """Where a key was set: the last file that sets it, else the command line."""

    def __init__(self, sources: list[Source]):
        self.sources = sources

    def of(self, keys: Keys) -> str:
        for file, prefix, content in reversed(self.sources):
            inner = keys[len(prefix) :]
            if keys[: len(prefix)] == prefix and _has(content, inner):
                return f"{file}: key {_dotted(inner)}" if inner else file
        return f"config: key {_dotted(keys)}"

    def missing(self, keys: Keys, name: str) -> str:
        """Where the key `name` should stand: beside the other keys of the mapping at `keys`."""
        for file, prefix, content in self.sources:
            inner = keys[len(prefix) :]
            if keys[: len(prefix)] == prefix and _has(content, inner):
                return f"{file}: key {_dotted((*inner, name))}"
        return f"config: key {_dotted((*keys, name))}"


def _misfits(config: dict, schema: dict, places: _Places) -> Iterator[HeadraceError]:
    """What the schema refuses, in the order of the keys."""
    from jsonschema import Draft202012Validator

    def order(error):  # a wrong type before what follows from it
        return [*map(str, error.absolute_path)], error.validator != "type"

    wrong_values = set()
    for error in sorted(Draft202012Validator(schema).iter_errors(config), key=order):
        keys = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            known = error.schema.get("properties", {})
            for extra in sorted(map(str, set(error.instance) - set(known))):
                yield HeadraceError(places.of((*keys, extra)), "unknown key", nearest(extra, known))
        elif error.validator == "required":
            for missing in sorted(set(error.validator_value) - set(error.instance)):
                kind = error.schema["properties"][missing].get("description", "")
                yield HeadraceError(places.missing(keys, missing), "is missing", f"set it: {kind}")
        elif keys not in wrong_values:
            wrong_values.add(keys)
            yield HeadraceError(places.of(keys), *_wrong_value(error))


def _not_finite(tree: object, places: _Places, keys: Keys = ()) -> Iterator[HeadraceError]:
    """YAML's .nan and .inf, which pass every limit of a schema or fail none."""
    if isinstance(tree, float) and not math.isfinite(tree):
        yield HeadraceError(places.of(keys), f"is {tree!r} (number)", "must be finite")
    branches = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, branch in branches:
        yield from _not_finite(branch, places, (*keys, key))


def _wrong_value(error) -> tuple[str, str]:
    """Problem and remedy for a value of a wrong type, or out of range."""
    value, rule = error.validator_value, error.validator
    found = f"{error.instance!r} ({_type_name(error.instance)})"
    if rule == "type":
        kinds = [value] if isinstance(value, str) else value
        return f"is {found}", f"must be {' or '.join(map(_article, kinds))}"
    if rule == "enum":
        return f"is {found}", nearest(str(error.instance), map(str, value))
    limits = {
        "minimum": "must be at least {}",
        "exclusiveMinimum": "must be more than {}",
        "maximum": "must be at most {}",
        "minItems": "needs at least {} entry",
        "minProperties": "needs at least {} key",
        "minLength": "needs at least {} character",
    }
    if rule in limits:
        return f"is {found}", limits[rule].format(value)
    return f"is {found}", f"must satisfy {rule}: {value}"


def _contradictions(config: dict, places: _Places) -> Iterator[HeadraceError]:
    """Names that stand for nothing, and choices that need others. The schema has accepted the tree."""
    for study, definition in config["studies"].items():
        yield from _unknown_names(config, study, definition, places)
        if study not in config["calibration"]:
            remedy = f"name its file under files.calibration.{study}"
            yield HeadraceError(places.of(("studies", study)), "has no calibration set", remedy)
    served = {name for definition in config["studies"].values() for name in definition["workloads"]}
    for name in sorted(config["workloads"].keys() - served):
        place = places.of(("workloads", name))
        yield HeadraceError(place, f"no study has a workload {name!r}", nearest(name, served))
    used = {
        setting["workload"]
        for definition in config["studies"].values()
        for part in definition["grid"].values()
        for setting in part["settings"]
    }
    for workload in sorted(used & config["workloads"].keys()):
        yield from _source_problems(config, workload, places)


def _unknown_names(config: dict, study: str, definition: dict, places: _Places) -> Iterator[HeadraceError]:
    root: Keys = ("studies", study)

    def check(what: str, keys: Keys, name: str, known: Iterable[str]) -> Iterator[HeadraceError]:
        if name not in known:
            yield HeadraceError(places.of((*root, *keys)), f"unknown {what} {name!r}", nearest(name, known))

    yield from check("model", ("model",), definition["model"], config["models"])
    for index, policy in enumerate(definition["policies"]):
        yield from check("policy", ("policies", index, "policy"), policy["policy"], POLICIES)
    for name in definition["workloads"]:
        yield from check("workload", ("workloads", name), name, config["workloads"])
    workloads = config["workloads"].keys() & definition["workloads"].keys()
    for part, grid in definition["grid"].items():
        here: Keys = ("grid", part)
        for index, name in enumerate(grid["hardware"]):
            yield from check("hardware", (*here, "hardware", index), name, config["hardware"])
            yield from _wrong_perf_model(config, name, definition["model"], places)
        for index, name in enumerate(grid["evictions"]):
            yield from check("eviction rule", (*here, "evictions", index), name, EVICTIONS)
        for index, setting in enumerate(grid["settings"]):
            keys = (*here, "settings", index, "workload")
            yield from check("workload", keys, setting["workload"], workloads)


def _wrong_perf_model(config: dict, hardware: str, model: str, places: _Places) -> Iterator[HeadraceError]:
    if hardware not in config["hardware"]:
        return
    keys, found = ("hardware", hardware, "perf_model"), config["hardware"][hardware]["perf_model"]
    if found["model"] != model:
        remedy = f"the study runs {model!r}: name a table of it"
        yield HeadraceError(places.of((*keys, "model")), f"is {found['model']!r}", remedy)
    if not Path(found["file"]).is_file():
        remedy = "name a JSON file, relative to the repository; make perf-models builds one"
        yield HeadraceError(places.of((*keys, "file")), f"there is no file {found['file']!r}", remedy)


def _source_problems(config: dict, workload: str, places: _Places) -> Iterator[HeadraceError]:
    source = config["workloads"][workload]["source"]
    place = places.of(("workloads", workload, "source"))
    if source == "synthetic":
        if workload not in config["generators"]:
            remedy = f"name the file of its parameters under files.generators.{workload}"
            yield HeadraceError(place, f"workload {workload!r} has no generator", remedy)
        return
    if source == "published":
        published = config["published"]
        for keys, value, remedy in (
            (("revision",), published["revision"], "the commit of {} to download"),
            (("folders", workload), published["folders"].get(workload), "the folder of {} with the traces"),
        ):
            if value is None:
                problem = f"is not set, but workloads.{workload}.source is published"
                remedy = f"name {remedy.format(published['repo'])}"
                yield HeadraceError(places.of(("published", *keys)), problem, remedy)
    elif not Path(source).is_dir():
        problem = f"{source!r} is no folder, and no other source is called so"
        yield HeadraceError(place, problem, "synthetic, published or a folder with traces")
    tokeniser = config["tokeniser"]
    if tokeniser["kind"] == "transformers" and not tokeniser.get("name"):
        remedy = "name a tokenizer of the hub or a folder, or set kind: tekken"
        yield HeadraceError(places.of(("tokeniser",)), "has no name", remedy)


def _has(content: object, keys: Keys) -> bool:
    for key in keys:
        if isinstance(content, list):
            content = dict(enumerate(content))
        if not isinstance(content, dict) or key not in content:
            return False
        content = content[key]
    return True


def _dotted(keys: Keys) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return text.removeprefix(".") or "(top level)"


def _type_name(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list", dict: "mapping"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _article(kind: str) -> str:
    name = {"object": "mapping", "array": "list"}.get(kind, kind)
    return name if name == "null" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
