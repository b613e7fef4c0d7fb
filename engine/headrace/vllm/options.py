"""What `--additional-config '{"headrace": {...}}'` may say."""

from dataclasses import dataclass, field

from headrace.errors import HeadraceError, nearest
from headrace.perf.records import above, at_least, read_record
from headrace.scheduling import EVICTIONS, RECOMPUTE, SWAP, load
from headrace.streams.limits import EndpointLimits

PLACE = "additional-config: key headrace"
PRICELESS = (RECOMPUTE, SWAP)  # eviction rules that look at no cost


@dataclass(frozen=True, slots=True)
class Coefficients:
    """Seconds of a preemption as polynomials in tokens, constant term first: of computing them again, and
    of moving their KV cache out and in again.
    """

    recompute_s: tuple[float, ...] = ()
    swap_s: tuple[float, ...] = ()


class Polynomials:
    """Costs (headrace.scheduling.Costs) by their coefficients."""

    def __init__(self, coefficients: Coefficients):
        self.coefficients = coefficients

    def recompute_s(self, tokens: int) -> float:
        """Seconds of computing `tokens` again."""
        return _value(self.coefficients.recompute_s, tokens)

    def swap_s(self, tokens: int) -> float:
        """Seconds of moving the KV cache of `tokens` out and in again."""
        return _value(self.coefficients.swap_s, tokens)


def _value(coefficients: tuple[float, ...], x: int) -> float:
    value = 0.0
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


@dataclass(frozen=True, slots=True)
class Planning:
    """Who decides: a policy by name or "path/to/mine.py:Mine", an eviction rule, its costs.

    token_budget: new tokens per step where it is to be less than vLLM's max_num_batched_tokens.
    """

    policy: str = "fcfs"
    eviction: str = RECOMPUTE
    costs: Coefficients = field(default_factory=Coefficients)
    token_budget: int | None = at_least(1, default=None)


@dataclass(frozen=True, slots=True)
class Options(Planning):
    """All options. max_streams: open streams at a time; stream_timeout_s: an open stream without a chunk
    for so long ends as an error; control: requests may change the planning while the engine is empty;
    endpoint: limits of the API server's /v1/stream.
    """

    max_streams: int = at_least(1, default=1024)
    stream_timeout_s: float = above(0, default=300.0)
    control: bool = False
    endpoint: EndpointLimits = field(default_factory=EndpointLimits)


def read_options(additional_config: object) -> Options:
    """The options in vLLM's additional config. Raises HeadraceError that names the key."""
    keys = additional_config.get("headrace", {}) if isinstance(additional_config, dict) else {}
    return checked(read_record(Options, keys, PLACE))


def checked(planning: Planning) -> Planning:
    """Raises HeadraceError for a policy or an eviction rule that is not there, or costs that it lacks."""
    load(planning.policy)
    if planning.eviction not in EVICTIONS:
        remedy = nearest(planning.eviction, EVICTIONS)
        raise HeadraceError(f"{PLACE}.eviction", f"unknown eviction rule {planning.eviction!r}", remedy)
    costs = planning.costs
    if planning.eviction not in PRICELESS and not (costs.recompute_s and costs.swap_s):
        raise HeadraceError(
            f"{PLACE}.costs",
            f"{planning.eviction} compares costs, and there are none",
            'give {"recompute_s": [s, s per token, ...], "swap_s": [...]}',
        )
    return planning
