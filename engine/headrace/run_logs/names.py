"""What the names of a run's folders say: workload, hardware, delay, eviction rule and policy."""

import re
from collections.abc import Iterable

from headrace.axes import Axes
from headrace.errors import HeadraceError, nearest

HARDWARE = {"H200": "h200-tp2", "H100": "h100-tp2"}
"""All published runs used two GPUs (tensor parallel)."""
EVICTIONS = {None: "cost_published", "recomp": "recompute", "swap": "swap"}
PUBLISHED_EVICTIONS = frozenset(EVICTIONS.values())
OLDER_POLICIES = {"fcfs_lru": "fcfs", "lcas_cplusp": "lcas", "mcps_lce": "mcps"}
LAYOUT = "<GPU>_<name>[_delay_<factor>][_recomp_only|_swap_only]"
CONFIGURATION = re.compile(
    r"(?P<gpu>[A-Z]+\d+)(?:_(?!delay|recomp|swap|only)[^_]+)+"
    r"(?:_delay_(?P<delay>\d+))?(?:_(?P<only>recomp|swap)_only)?"
)


class UnknownRunError(HeadraceError):
    """A run that no cell of the study stands for."""


def named_axes(place: object, parts: tuple[str, ...], expected: list[Axes]) -> Axes:
    """The axes that the names of a run's folders give: all but `stream` and `qps`, which its files have.

    `parts` are workload, configuration, policy and date. Workload and policy must be those of an `expected`
    cell; older names of policies count as the new ones. Raises UnknownRunError at `place` for a name that
    means nothing.
    """
    workload, configuration, policy, _ = parts
    _check(place, "workload", workload, {cell["workload"] for cell in expected})
    found = CONFIGURATION.fullmatch(configuration)
    if not found:
        raise UnknownRunError(place, f"unknown configuration {configuration!r}", f"expected {LAYOUT}")
    _check(place, "hardware", found["gpu"], HARDWARE)
    known = {cell["policy"] for cell in expected}
    _check(place, "policy", policy, {*known, *(old for old, new in OLDER_POLICIES.items() if new in known)})
    return {
        "backend": "published",
        "hardware": HARDWARE[found["gpu"]],
        "workload": workload,
        "delay": int(found["delay"] or 1),
        "eviction": EVICTIONS[found["only"]],
        "policy": OLDER_POLICIES.get(policy, policy),
    }


def _check(place: object, what: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise UnknownRunError(place, f"unknown {what} {name!r}", nearest(name, known))
