"""The three tables of a performance model: a step, a recomputation, a swap."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from headrace.errors import HeadraceError
from headrace.perf.fit import mean
from headrace.perf.records import above, at_least


@dataclass(frozen=True, slots=True)
class StepTable:
    """A forward pass, split into what the new tokens cost and what their context costs."""

    tokens: tuple[int, ...] = at_least(1)
    """New tokens of all requests of the step, ascending."""
    dense_s: tuple[float, ...] = above(0)
    """Seconds of a step with that many new tokens, attention over context taken out; never falls."""
    attention_s_per_token_pair: float = at_least(0)
    """Prefill: n new tokens after `context` tokens add this times n (context + n / 2)."""
    decode_s_per_context_token: float = at_least(0)
    """One new token after `context` tokens adds this times the context: it reads the whole KV cache."""
    r2: float
    """Of the split against the forward passes that it was fitted to."""
    max_rel_error: float = at_least(0)
    """Largest relative error of the split over those forward passes."""

    def check(self, place: str) -> None:
        """Raise HeadraceError unless tokens ascend and dense_s never falls."""
        check_ascending(self.tokens, self.dense_s, "dense_s", place)
        for (n, before), (m, after) in pairwise(zip(self.tokens, self.dense_s, strict=True)):
            if after < before:
                raise HeadraceError(
                    f"{place}: key dense_s",
                    f"{m} tokens take {after} s, less than {n} tokens ({before} s)",
                    "more tokens must take at least as long",
                )

    def dense(self, max_tokens: int, place: str) -> list[float]:
        """Seconds for 0..max_tokens new tokens, linear between the table's points.

        Below the first point a step takes as long as there; no tokens take no time. Raises
        HeadraceError when `max_tokens` is beyond the table: nothing was measured there.
        """
        if max_tokens > self.tokens[-1]:
            raise HeadraceError(
                place,
                f"a step of {max_tokens} tokens is beyond its table",
                f"a token budget of {self.tokens[-1]} or less, or a model with a longer table",
            )
        seconds = [0.0] + [self.dense_s[0]] * self.tokens[0]
        for (n, low), (m, high) in pairwise(zip(self.tokens, self.dense_s, strict=True)):
            slope = (high - low) / (m - n)
            seconds.extend(low + slope * more for more in range(1, m - n))
            seconds.append(high)
            if m >= max_tokens:
                break
        return seconds[: max_tokens + 1]


@dataclass(frozen=True, slots=True)
class RecomputeTable:
    """Forward passes of n tokens without context, as a preemption by recompute repeats them."""

    tokens: tuple[int, ...] = at_least(1)
    latency_s: tuple[tuple[float, ...], ...] = above(0)
    """Seconds; the repeats of each token count. Measured, so they may fall where noise says so."""
    fit: tuple[float, ...]
    """Degree 2 through the means: s, s/token, s/token^2."""
    r2: float

    def check(self, place: str) -> None:
        """Raise HeadraceError unless tokens ascend, with repeats each, and the fit has 3 numbers."""
        check_ascending(self.tokens, self.latency_s, "latency_s", place)
        check_fit(self.fit, place)

    def means_s(self) -> list[float]:
        """Seconds, one per token count."""
        return [mean(repeats) for repeats in self.latency_s]


@dataclass(frozen=True, slots=True)
class SwapTable:
    """The KV cache of n tokens moved between GPU and host, software overhead left out."""

    tokens: tuple[int, ...] = at_least(1)
    in_s: tuple[tuple[float, ...], ...] = above(0)
    """Host to GPU, seconds; the repeats of each token count."""
    out_s: tuple[tuple[float, ...], ...] = above(0)
    """GPU to host, seconds; the repeats of each token count."""
    fit: tuple[float, ...]
    """Degree 2 through the means of in + out: s, s/token, s/token^2."""
    r2: float

    def check(self, place: str) -> None:
        """Raise HeadraceError unless tokens ascend, with repeats each, and the fit has 3 numbers."""
        check_ascending(self.tokens, self.in_s, "in_s", place)
        check_ascending(self.tokens, self.out_s, "out_s", place)
        check_fit(self.fit, place)

    def both_ways_s(self) -> list[float]:
        """Seconds in plus seconds out, one per token count."""
        return [mean(a) + mean(b) for a, b in zip(self.in_s, self.out_s, strict=True)]


def check_ascending(tokens: Sequence[int], column: Sequence, name: str, place: str) -> None:
    """Raise HeadraceError unless `tokens` ascend and `column` has one entry, not empty, for each."""
    if len(tokens) < 2 or any(m <= n for n, m in pairwise(tokens)):
        raise HeadraceError(f"{place}: key tokens", "they do not ascend", "two or more ascending counts")
    if len(column) != len(tokens):
        raise HeadraceError(
            f"{place}: key {name}", f"{len(column)} entries for {len(tokens)} token counts", "one for each"
        )
    for n, entry in zip(tokens, column, strict=True):
        if entry == ():
            raise HeadraceError(f"{place}: key {name}", f"no repeat for {n} tokens", "one repeat or more")


def check_fit(coefficients: Sequence[float], place: str) -> None:
    """Raise HeadraceError unless there are the three coefficients of a degree-2 fit."""
    if len(coefficients) != 3:
        raise HeadraceError(f"{place}: key fit", f"{len(coefficients)} coefficients", "three: s, s/n, s/n^2")


def interpolate(tokens: Sequence[int], seconds: Sequence[float], n: float) -> float:
    """Seconds at `n`: linear from (0, 0) through the points, on with the last slope beyond them."""
    after = min(bisect_left(tokens, n), len(tokens) - 1)
    m, high = tokens[after], seconds[after]
    k, low = (tokens[after - 1], seconds[after - 1]) if after else (0, 0.0)
    return low + (high - low) * (n - k) / (m - k)
