"""The guard against runs that never end."""

from collections.abc import Collection

from headrace.request import Request

PATIENCE = 10_000  # plans without progress until the guard looks closer


class LivelockError(RuntimeError):
    """The engine does work for ever without finishing anything, or waits for what can't come."""


def patience_left(live: Collection[Request], token_budget: int, quiet: int) -> int:
    """How many plans may pass without progress; `quiet` have. Raises LivelockError beyond that.

    Once no chunk is to come, serving every live request from scratch, one after the other, is what
    the worst legal schedule could need; four times that without one finished request is a livelock.
    Before, it is one if the clock stands still.
    """
    worst = sum(r.prompt // token_budget + r.output_tokens - r.output + 2 for r in live)
    allowed = 4 * worst + 1000
    if quiet > allowed:
        raise LivelockError(f"no progress in {quiet} steps: {names(live)}")
    return allowed


def names(requests: Collection[Request]) -> str:
    """The five requests with most preemptions, and how many there are besides."""
    worst = sorted(requests, key=lambda r: (-r.preemptions_recompute - r.preemptions_swap, r.id))
    named = [
        f"request {r.id} ({r.computed} of {r.prompt} tokens computed,"
        f" {r.preemptions_recompute + r.preemptions_swap} preemptions)"
        for r in worst[:5]
    ]
    return ", ".join(named) + (f" and {len(worst) - 5} more" if len(worst) > 5 else "")
