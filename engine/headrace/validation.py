"""What is wrong with a configuration: one line per problem, at the file and key where it stands."""

import math
from collections.abc import Iterator

from headrace.consistency import contradictions
from headrace.errors import HeadraceError, nearest
from headrace.places import Keys, Places, Source


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
    places = Places(sources)
    problems = [*_misfits(config, schema, places), *_not_finite(config, places)]
    problems = problems or [*contradictions(config, places)]
    if problems:
        raise ConfigError([*{str(problem): problem for problem in problems}.values()])


def _misfits(config: dict, schema: dict, places: Places) -> Iterator[HeadraceError]:
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


def _not_finite(tree: object, places: Places, keys: Keys = ()) -> Iterator[HeadraceError]:
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


def _type_name(value: object) -> str:
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "list", dict: "mapping"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _article(kind: str) -> str:
    name = {"object": "mapping", "array": "list"}.get(kind, kind)
    return name if name == "null" else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
