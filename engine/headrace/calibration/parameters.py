"""The parameters of a fit: values of the configuration that it may move, from where, within which bounds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

Number = int | float
Values = dict[str, Number]
"""Paths into the configuration ("hardware/h200-tp2/kv_blocks") to values."""

DIGITS = 4
"""Significant digits of every value that is tried, and so of the fitted ones."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value of the configuration, in the words of config/studies/<study>.fit.yaml.

    Its position is its share of the range between the bounds, on its scale: 0 at `low`, 1 at `high`.
    """

    path: str
    of: str
    """What it is, in a phrase."""
    start: Number
    low: Number
    high: Number
    scale: str = "linear"
    """linear, or log for a value whose order of magnitude is open."""
    integer: bool = False
    times: Mapping[str, Number] = field(default_factory=dict)
    """Further paths that follow: so many times the value."""

    def value(self, position: float) -> Number:
        """The value at a position, to four significant digits, whole if it is to be, within the bounds."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        scaled = low + (high - low) * position
        value = _rounded(math.exp(scaled) if self.scale == "log" else scaled)
        value = round(value) if self.integer else value
        return min(max(value, self.low), self.high)

    def position(self, value: Number) -> float:
        """Where a value lies; the inverse of `value`, but for its rounding."""
        low, high = self._scaled(self.low), self._scaled(self.high)
        return (self._scaled(value) - low) / (high - low)

    def settings(self, value: Number) -> Values:
        """The value at its path and at those that follow it."""
        followers = {path: value * factor for path, factor in self.times.items()}
        if self.integer:
            followers = {path: round(follower) for path, follower in followers.items()}
        return {self.path: value, **followers}

    def _scaled(self, value: Number) -> float:
        return math.log(value) if self.scale == "log" else float(value)


def parameters_of(fit: Mapping) -> list[Parameter]:
    """The parameters of a checked `fit` section, in its order."""
    return [Parameter(path, **keys) for path, keys in fit["parameters"].items()]


def named(path: str, patterns: Iterable[str]) -> bool:
    """Whether one of the patterns, in which * stands for any text, is of this path."""
    return any(fnmatchcase(path, pattern) for pattern in patterns)


def values_at(parameters: Sequence[Parameter], positions: Iterable[float]) -> Values:
    """The values of parameters at these positions."""
    pairs = zip(parameters, positions, strict=True)
    return {parameter.path: parameter.value(float(position)) for parameter, position in pairs}


def starts(parameters: Sequence[Parameter]) -> Values:
    """Where a fit begins."""
    return {parameter.path: parameter.start for parameter in parameters}


def settings(parameters: Sequence[Parameter], values: Values) -> Values:
    """All that the configuration is to hold for these values: they themselves and what follows them."""
    pairs = ((parameter, values[parameter.path]) for parameter in parameters)
    return {path: value for parameter, own in pairs for path, value in parameter.settings(own).items()}


def distance(parameters: Sequence[Parameter], values: Values) -> float:
    """Sum of squared distances from the start, each in units of the parameter's range."""
    return sum(
        (parameter.position(values[parameter.path]) - parameter.position(parameter.start)) ** 2
        for parameter in parameters
    )


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
