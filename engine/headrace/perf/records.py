"""Mappings read from JSON or YAML, checked key by key into dataclasses."""

import dataclasses
import math
import types
from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from headrace.errors import HeadraceError, nearest

Record = TypeVar("Record")


def at_least(minimum: float, **options: Any) -> Any:
    """A dataclass field whose number, or every number in it, must be `minimum` or more."""
    return dataclasses.field(metadata={"minimum": minimum}, **options)


def above(bound: float, **options: Any) -> Any:
    """A dataclass field whose number, or every number in it, must be greater than `bound`."""
    return dataclasses.field(metadata={"above": bound}, **options)


def read_record(kind: type[Record], mapping: object, place: object) -> Record:
    """Check `mapping` against the fields of the dataclass `kind` and build it.

    Fields may be int, float (an int is taken, text is not), bool, str, dict, a tuple of these (from a
    list), another dataclass (from a mapping) or any of them `| None`. Raises HeadraceError that names
    the key: missing, unknown (with the nearest known one), of the wrong type, not finite, out of range.
    """
    if not isinstance(mapping, Mapping):
        raise HeadraceError(
            place, f"a mapping of keys is needed, not {_shown(mapping)}", f"keys: {_names(kind)}"
        )
    fields = {field.name: field for field in dataclasses.fields(kind)}
    for key in mapping:
        if key not in fields:
            raise HeadraceError(place, f"unknown key {key!r}", nearest(str(key), fields))
    values = {}
    for name, field in fields.items():
        if name in mapping:
            where = f"{place}: key {name}"
            values[name] = _value(_types(kind)[name], mapping[name], where)
            _check_range(field, values[name], where)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise HeadraceError(place, f"key {name!r} is missing", f"keys: {_names(kind)}")
    return kind(**values)


def _value(kind: Any, value: object, place: str) -> Any:
    if isinstance(kind, types.UnionType):
        if value is None:
            return None
        (kind,) = (option for option in get_args(kind) if option is not types.NoneType)
    if dataclasses.is_dataclass(kind):
        return read_record(kind, value, place)
    if get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise HeadraceError(place, f"a list is needed, not {_shown(value)}", "write it in brackets")
        return tuple(
            _value(get_args(kind)[0], item, f"{place}, item {number}")
            for number, item in enumerate(value, start=1)
        )
    if kind is float:
        return _number(value, place)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise HeadraceError(place, f"{_shown(value)} is no {_WORDS[kind]}", f"write a {_WORDS[kind]}")
    return value


def _number(value: object, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        remedy = "write a number"
        if isinstance(value, str):
            remedy += " (YAML takes 6.4e10 for text: a point and the exponent's sign are needed, 6.4e+10)"
        raise HeadraceError(place, f"{_shown(value)} is no number", remedy)
    if not math.isfinite(value):
        raise HeadraceError(place, f"{value} is not finite", "write a finite number")
    return float(value)


def _check_range(field: dataclasses.Field, value: object, place: str) -> None:
    minimum, bound = field.metadata.get("minimum"), field.metadata.get("above")
    for number in _numbers(value):
        if minimum is not None and number < minimum:
            raise HeadraceError(place, f"{number} is too small", f"{minimum} or more is right")
        if bound is not None and number <= bound:
            raise HeadraceError(place, f"{number} is too small", f"more than {bound} is right")


def _numbers(value: object) -> list[float]:
    if isinstance(value, tuple):
        return [number for item in value for number in _numbers(item)]
    return [value] if isinstance(value, int | float) else []


def _names(kind: type) -> str:
    return ", ".join(field.name for field in dataclasses.fields(kind))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


@cache
def _types(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


_WORDS = {int: "whole number", str: "text", bool: "true or false", dict: "mapping"}
