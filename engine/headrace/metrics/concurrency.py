"""Concurrent requests at preemption, as the published client counts them."""

import numpy as np
import polars as pl

COUNTED_FROM = {"crawler": "opened_s", "anns": "arrival_s"}


def concurrent_at_preemption(requests: pl.DataFrame, counted_from: str = "arrival_s") -> np.ndarray:
    """Ongoing queries when a preempted request finishes: one sample per preemption event of one world.

    The published client writes a request's preemptions, with its count of ongoing queries, when that request
    finishes (table 4); the request itself still counts. A query is ongoing from column `counted_from` (anns:
    its start; crawler: its opening) until `finished_s`. A refused request takes no part.
    """
    served = requests.filter(pl.col("finished_s").is_not_null())
    events = (served["preemptions_recompute"] + served["preemptions_swap"]).to_numpy()
    finished = served["finished_s"].to_numpy()
    begun = np.sort(served[counted_from].to_numpy())
    at = np.repeat(finished, events)
    return np.searchsorted(begun, at, side="right") - np.searchsorted(np.sort(finished), at, side="left")
