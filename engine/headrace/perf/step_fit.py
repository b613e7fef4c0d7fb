"""A forward pass split into dense work, attention over context, and decoding."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import fsum
from statistics import median

from headrace.errors import HeadraceError
from headrace.perf.fit import r_squared


@dataclass(frozen=True, slots=True)
class Pass:
    """One forward pass: `requests` x `new_tokens` after `context_tokens` each, and its seconds.

    new_tokens == 1 is a decode, read by the decode kernels; more is a prefill.
    """

    requests: int
    new_tokens: int
    context_tokens: int
    seconds: float

    @property
    def all_tokens(self) -> int:
        """New tokens of all requests."""
        return self.requests * self.new_tokens

    @property
    def pairs(self) -> float:
        """Pairs of a new token and a token that it attends to; 0 for a decode."""
        if self.new_tokens == 1:
            return 0.0
        return self.all_tokens * (self.context_tokens + self.new_tokens / 2)

    @property
    def decoded_context(self) -> int:
        """Context tokens that decodes read; 0 for a prefill."""
        return self.requests * self.context_tokens if self.new_tokens == 1 else 0


@dataclass(frozen=True, slots=True)
class StepFit:
    """The split: seconds(pass) = dense_s[all tokens] + attention * pairs + decode * decoded context."""

    tokens: tuple[int, ...]
    dense_s: tuple[float, ...]
    attention_s_per_token_pair: float
    decode_s_per_context_token: float

    def seconds(self, step: Pass) -> float:
        """Modelled seconds of a pass; dense work is linear between the points of `tokens`."""
        after = next(i for i, n in enumerate(self.tokens) if n >= step.all_tokens)
        high_n, high_s = self.tokens[after], self.dense_s[after]
        low_n, low_s = self.tokens[max(after - 1, 0)], self.dense_s[max(after - 1, 0)]
        share = (step.all_tokens - low_n) / (high_n - low_n) if high_n > low_n else 0.0
        return (
            low_s
            + share * (high_s - low_s)
            + self.attention_s_per_token_pair * step.pairs
            + self.decode_s_per_context_token * step.decoded_context
        )

    def errors(self, passes: Sequence[Pass]) -> dict[str, float]:
        """r2, median and largest relative error over `passes`."""
        modelled = [self.seconds(step) for step in passes]
        relative = [abs(s / step.seconds - 1) for s, step in zip(modelled, passes, strict=True)]
        return {
            "r2": r_squared([step.seconds for step in passes], modelled),
            "median_rel_error": median(relative),
            "max_rel_error": max(relative),
        }


def fit_step(passes: Sequence[Pass]) -> StepFit:
    """Least squares of the relative error: one dense time per number of new tokens, two rates for all.

    The dense times are eliminated (each is the weighted mean of what the rates leave over), which leaves
    two equations. Dense times then never fall as tokens grow: a dip between measured kernels (about 1 %)
    is filled with the time before it. A rate below 0, which only noise can give, is 0 and the other one is
    fitted alone. Raises HeadraceError when the passes can't tell the parts apart.
    """
    groups: dict[int, list[Pass]] = defaultdict(list)
    for step in passes:
        groups[step.all_tokens].append(step)
    aa, ab, bb, ay, by = [], [], [], [], []
    for group in groups.values():
        mean_pairs = _mean(group, [p.pairs for p in group])
        mean_context = _mean(group, [p.decoded_context for p in group])
        mean_s = _mean(group, [p.seconds for p in group])
        for p in group:
            weight = 1 / p.seconds**2
            a, b, y = p.pairs - mean_pairs, p.decoded_context - mean_context, p.seconds - mean_s
            aa.append(weight * a * a)
            ab.append(weight * a * b)
            bb.append(weight * b * b)
            ay.append(weight * a * y)
            by.append(weight * b * y)
    aa, ab, bb, ay, by = fsum(aa), fsum(ab), fsum(bb), fsum(ay), fsum(by)
    determinant = aa * bb - ab * ab
    if determinant <= 0:
        raise HeadraceError(
            "step fit", "attention can't be told from dense work", "prefills and decodes at two contexts each"
        )
    attention, decode = (ay * bb - by * ab) / determinant, (by * aa - ay * ab) / determinant
    if attention < 0:
        attention, decode = 0.0, max(by / bb, 0.0)
    elif decode < 0:
        attention, decode = max(ay / aa, 0.0), 0.0
    tokens = sorted(groups)
    dense_s = [
        _mean(group, [p.seconds - attention * p.pairs - decode * p.decoded_context for p in group])
        for group in (groups[n] for n in tokens)
    ]
    return StepFit(tuple(tokens), tuple(accumulate(dense_s, max)), attention, decode)


def _mean(group: Sequence[Pass], column: Sequence[float]) -> float:
    """Mean of `column`, each pass weighted by 1 / seconds^2: its relative error counts."""
    weights = [1 / step.seconds**2 for step in group]
    return fsum(w * value for w, value in zip(weights, column, strict=True)) / fsum(weights)
