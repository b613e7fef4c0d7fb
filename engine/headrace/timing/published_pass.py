"""A pass in the published shape: the same selection, by the artifact's way of getting there."""

from collections.abc import Callable

from headrace.request import Request
from headrace.scheduling import Limits

NOTHING_TO_COMPUTE = (2, 0, 0, 0)
TIERS = {"fcfs": True, "lcas": True, "mcps": False}
"""The published two-phase policies: whether closed streams come before open ones."""


def published_pass(
    by_id: dict[int, Request],
    waiting: list[Request],
    running: list[Request],
    key: Callable[[Request], tuple],
    tiers: bool,
    limits: Limits,
) -> tuple[list[Request], list[Request]]:
    """Who runs on and who is behind them (admitted first, then who was not selected), both best first.

    As the artifact's two-phase schedulers do it, in our own words: two lists of ids, closed streams and open
    ones (`tiers`; else one), each sorted by a key that looks the request up; every request is walked, with or
    without budget left; whether a request is running is looked for in a list.
    """
    requests = waiting + running
    full = [request.id for request in requests if request.closed or not tiers]
    partial = [request.id for request in requests if tiers and not request.closed]
    full.sort(key=lambda id: key(by_id[id]))
    partial.sort(
        key=lambda id: key(by_id[id]) if by_id[id].prompt > by_id[id].computed else NOTHING_TO_COMPUTE
    )
    budget, pool, selected, left = limits.token_budget, limits.blocks, [], []
    for id in full + partial:
        request = by_id[id]
        tokens = min(request.prompt - request.computed, budget)
        need = -(-(request.computed + tokens) // limits.block_size) + limits.blocks_ahead
        if tokens <= 0 or need > pool:
            left.append(request)
            continue
        pool -= need
        budget -= tokens
        selected.append(request)
    kept = [request for request in selected if request in running]
    return kept, [request for request in selected if request not in kept] + left
