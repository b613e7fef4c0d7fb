"""Token counts that add up."""

import numpy as np


def split(totals: np.ndarray, counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Split totals[i] tokens into counts[i] parts in proportion to their weights, each at least 1.

    weights: all parts' weights, one total after the other. A total below its count is raised to it.
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    share = np.bincount(owner, weights=weights, minlength=len(counts))
    spare = np.maximum(totals - counts, 0) / np.where(counts > 0, share, 1)
    # The edges between parts are rounded, not the parts, so that these add up to the totals.
    edges = np.rint(np.append(0, np.cumsum(weights * spare[owner])))
    return 1 + np.diff(edges).astype(np.int64)
