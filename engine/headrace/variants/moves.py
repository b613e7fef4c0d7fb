"""An assumption moved by a share of its value, as far as the value can go."""

import math
from dataclasses import dataclass
from typing import get_args, get_type_hints

from headrace.variants.definition import Assumption, number_at
from headrace.workload.generate import GENERATORS


@dataclass(frozen=True, slots=True)
class Move:
    """New values by path. `cut`: one of them was stopped at a natural limit."""

    values: dict[str, int | float]
    cut: bool

    @property
    def said(self) -> str:
        """The new values as text, in the order of the paths."""
        return " ".join(f"{value:g}" for value in self.values.values())


def moved(config: dict, study: str, assumption: Assumption, factor: float) -> Move:
    """All values of the assumption times `factor`; whole numbers stay whole.

    A correlation stays within -1..1 and a share within 0..1, a quantile between its neighbours, and the KV
    pool holds the longest prompt. Raises HeadraceError as `number_at` does.
    """
    values, cut = {}, False
    for path in assumption.paths:
        value = number_at(config, path)
        low, high = limits(config, study, path)
        wanted = value * factor
        reached = min(max(wanted, min(low, value)), max(high, value))
        cut = cut or reached != wanted
        values[path] = round(reached) if isinstance(value, int) else float(f"{reached:.12g}")
    return Move(values, cut)


def limits(config: dict, study: str, path: str) -> tuple[float, float]:
    """The smallest and the largest value that the number at `path` can have."""
    root, name, *keys = path.split("/")
    if root == "generators":
        if len(keys) > 1:
            return _neighbours(config["generators"][name][keys[0]], keys[1])
        hint = get_type_hints(GENERATORS[name][0], include_extras=True)[keys[0]]
        _, low, high = get_args(hint)
        return low, high
    if root == "hardware" and keys == ["kv_blocks"]:
        return _smallest_pool(config, study), math.inf
    return 0, math.inf


def _neighbours(quantiles: dict, key: str) -> tuple[float, float]:
    """Quantiles do not decrease."""
    ascending = sorted(quantiles, key=_probability)
    at = ascending.index(key)
    low = quantiles[ascending[at - 1]] if at else 0
    high = quantiles[ascending[at + 1]] if at + 1 < len(ascending) else math.inf
    return low, high


def _probability(key: str) -> float:
    bounds = {"min": 0.0, "max": 100.0}
    return bounds[key] if key in bounds else float(key.removeprefix("p"))


def _smallest_pool(config: dict, study: str) -> int:
    """The blocks that the longest prompt of a generator takes."""
    engine = config["studies"][study]["engine"]
    longest = max(
        (generator["total_tokens"]["max"] + generator["output_tokens"] - 1)
        for generator in config["generators"].values()
    )
    return math.ceil(longest / engine["block_size"]) + engine["blocks_ahead"]
