"""Waits made longer, so that open streams pile up."""

import numpy as np

from headrace.errors import HeadraceError, nearest

SCOPES = ("scrapes", "all")


def stretch(offsets: np.ndarray, first_offset: np.ndarray | float, delay: float, scope: str) -> np.ndarray:
    """Offsets in s after waits were multiplied by `delay` (the artifact's delay_multiplier).

    first_offset: of the same query, broadcast to `offsets`. scope "scrapes": the first wait, the
    crawler's search, stays; "all": every wait is stretched (anns).

    Raises HeadraceError for an unknown scope or a delay that is not positive.
    """
    if scope not in SCOPES:
        raise HeadraceError("delay_scope", f"unknown scope {scope!r}", nearest(str(scope), SCOPES))
    if not 0 < delay < np.inf:
        raise HeadraceError("delay", f"is {delay}", "give a positive factor")
    if delay == 1:
        return offsets
    return offsets * delay if scope == "all" else first_offset + (offsets - first_offset) * delay
