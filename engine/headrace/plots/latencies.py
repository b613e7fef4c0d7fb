"""Recomputation and swap of n tokens: latencies of a performance model, and which of them is cheaper."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from headrace.perf import Overheads, PerfModel
from headrace.perf.fit import Fit, mean, polynomial_fit
from headrace.perf.tables import SwapTable

RECOMPUTE, SWAP = "recompute", "swap"
HARDWARE_ALONE, WITH_SOFTWARE = "hardware alone", "with software"
COPY_PER_BLOCK, IN_THE_ENGINE = "copy per block", "in the engine"
WITHOUT_SOFTWARE = ("silicon", "roofline", "fixed")
"""Providers whose times hold nothing of the serving engine, so that its overheads come on top."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds against tokens: a degree-2 fit, and the repeats it goes through (none if it is derived)."""

    fit: Fit
    tokens: tuple[int, ...] = ()
    repeats_s: tuple[tuple[float, ...], ...] = ()

    def means_s(self) -> list[float]:
        """Seconds, one per token count."""
        return [mean(repeats) for repeats in self.repeats_s]

    def largest_miss(self) -> float:
        """By how much the fit misses a mean at most, as a share of it; 0 without repeats."""
        pairs = zip(self.tokens, self.means_s(), strict=True) if self.repeats_s else ()
        return max((abs(self.fit(tokens) / seconds - 1) for tokens, seconds in pairs), default=0.0)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Recomputation beside swap, both with or both without the engine's software."""

    name: str
    recompute: Latency
    swap: Latency
    first_tokens: int
    last_tokens: int

    def crossings(self) -> list[float]:
        """Token counts, ascending, at which the two fits are equal and cross, within the measured range."""
        return [root for root in _roots(*self._difference()) if self.first_tokens < root < self.last_tokens]

    def cheaper(self) -> list[tuple[float, float, str]]:
        """The measured range in parts (from tokens, to tokens, "recompute" | "swap")."""
        ends = [self.first_tokens, *self.crossings(), self.last_tokens]
        return [
            (low, high, RECOMPUTE if self._recompute_is_cheaper(math.sqrt(low * high)) else SWAP)
            for low, high in pairwise(ends)
        ]

    def _recompute_is_cheaper(self, tokens: float) -> bool:
        return self.recompute.fit(tokens) < self.swap.fit(tokens)

    def _difference(self) -> tuple[float, ...]:
        pairs = zip(self.recompute.fit.coefficients, self.swap.fit.coefficients, strict=True)
        return tuple(a - b for a, b in pairs)


def comparisons(
    model: PerfModel, overheads: Mapping[str, object] | None, token_budget: int, block_size: int
) -> list[Comparison]:
    """What a performance model says of recomputation and swap (in + out).

    Hardware alone: the model's own tables; those of the provider `published` were measured in the engine.
    With software: the estimates of the cost-based eviction, `PerfModel.costs`, for providers whose tables
    lack it and where `overheads` (mapping as in config/hardware.yaml) are given. Copy per block: the copies
    that the published engine issues, where a profile measured them. Raises HeadraceError for bad overheads
    and for tables of fewer than 3 counts.
    """
    recompute = _fitted(model.recompute.tokens, model.recompute.latency_s)
    first = max(model.recompute.tokens[0], model.swap.tokens[0])
    last = min(model.recompute.tokens[-1], model.swap.tokens[-1])
    name = IN_THE_ENGINE if model.provider == "published" else HARDWARE_ALONE
    found = [Comparison(name, recompute, _both_ways(model.swap), first, last)]
    if model.provider in WITHOUT_SOFTWARE and overheads is not None:
        given = Overheads.from_dict(overheads, f"hardware {model.hardware}: key overheads")
        costs = model.costs(given, token_budget, block_size)
        found.append(Comparison(WITH_SOFTWARE, Latency(costs.recompute), Latency(costs.swap), first, last))
    if model.swap_per_block is not None:
        last = min(last, model.swap_per_block.tokens[-1])
        found.append(Comparison(COPY_PER_BLOCK, recompute, _both_ways(model.swap_per_block), first, last))
    return found


def _both_ways(table: SwapTable) -> Latency:
    repeats = [
        tuple(a + b for a, b in zip(into, out, strict=False))
        for into, out in zip(table.in_s, table.out_s, strict=True)
    ]
    return _fitted(table.tokens, repeats)


def _fitted(tokens: Sequence[int], repeats_s: Sequence[Sequence[float]]) -> Latency:
    repeats = tuple(tuple(each) for each in repeats_s)
    return Latency(polynomial_fit(tokens, [mean(each) for each in repeats]), tuple(tokens), repeats)


def _roots(c0: float, c1: float, c2: float) -> list[float]:
    """Where c0 + c1 n + c2 n^2 changes its sign, ascending."""
    if c2 == 0:
        return [-c0 / c1] if c1 else []
    discriminant = c1 * c1 - 4 * c2 * c0
    if discriminant <= 0:
        return []
    # Adds numbers of one sign: no digits cancel.
    larger = -(c1 + math.copysign(math.sqrt(discriminant), c1)) / 2
    return sorted((larger / c2, c0 / larger))
