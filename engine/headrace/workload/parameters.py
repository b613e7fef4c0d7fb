"""Parameters of a generator: read from the config, checked key by key."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Annotated, TypeVar, get_args, get_type_hints

from headrace.errors import HeadraceError, nearest
from headrace.workload.quantiles import QuantileFunction

Count = Annotated[int, 1, math.inf]
Spread = Annotated[float, 0, math.inf]
Share = Annotated[float, 0, 1]
Correlation = Annotated[float, -1, 1]
Parameters = TypeVar("Parameters")


def parse(kind: type[Parameters], given: object, place: str) -> Parameters:
    """Build the dataclass `kind` from a mapping with exactly its fields; `place` names it in errors.

    Raises HeadraceError for an unknown key (with the nearest known one), a missing key, a value of the
    wrong type or out of range.
    """
    if not isinstance(given, Mapping):
        raise HeadraceError(place, f"is {given!r}", "give a mapping of parameters")
    names = [field.name for field in dataclasses.fields(kind)]
    for key in given:
        if key not in names:
            raise HeadraceError(place, f"unknown key {key!r}", nearest(str(key), names))
    for name in names:
        if name not in given:
            raise HeadraceError(place, f"key {name!r} is missing", "set it")
    hints = get_type_hints(kind, include_extras=True)
    return kind(**{name: _value(hints[name], given[name], f"{place}.{name}") for name in names})


def _value(hint: object, value: object, place: str) -> object:
    if hint is QuantileFunction:
        return QuantileFunction.parse(value, place)
    number, low, high = get_args(hint)
    numbers = (int,) if number is int else (int, float)
    if isinstance(value, bool) or not isinstance(value, numbers) or not low <= value <= high:
        noun = "whole number" if number is int else "number"
        bounds = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
        raise HeadraceError(place, f"is {value!r}", f"give a {noun} {bounds}")
    return number(value)
