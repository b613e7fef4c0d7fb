"""Token counts that add up."""

import numpy as np


def split(
    totals: np.ndarray, counts: np.ndarray, weights: np.ndarray, most_tokens: float = np.inf
) -> np.ndarray:
    """Split totals[i] tokens into counts[i] parts in proportion to their weights, each at least 1.

    weights: all parts' weights, one total after the other. A total below its count is raised to it. No
    part gets more than about `most_tokens`: what it would have beyond goes to the others of its total,
    by their weights; a total with no room left is split evenly.
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    spare = np.maximum(totals - counts, 0)
    parts = weights * _per_weight(spare, weights, owner)[owner]
    most = np.maximum(most_tokens, spare / np.maximum(counts, 1))[owner]
    while (over := parts > most * (1 + 1e-9)).any():
        beyond = np.bincount(owner, weights=np.where(over, parts - most, 0), minlength=len(counts))
        parts = np.minimum(parts, most)
        with_room = np.where(parts < most, weights, 0)
        parts += with_room * _per_weight(beyond, with_room, owner)[owner]
    # The edges between parts are rounded, not the parts, so that these add up to the totals.
    edges = np.rint(np.append(0, np.cumsum(parts)))
    return 1 + np.diff(edges).astype(np.int64)


def _per_weight(totals: np.ndarray, weights: np.ndarray, owner: np.ndarray) -> np.ndarray:
    of_total = np.bincount(owner, weights=weights, minlength=len(totals))
    return totals / np.where(of_total > 0, of_total, 1)
