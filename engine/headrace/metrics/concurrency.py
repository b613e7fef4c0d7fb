"""Concurrent requests at preemption, as the published client counts them."""

from pathlib import Path

import numpy as np
import polars as pl

from headrace.errors import HeadraceError

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


def logged_at_preemption(requests_file: Path) -> dict[int, np.ndarray] | None:
    """The same by world as a run's own client counted it: events.parquet beside a requests table of run logs.

    None for cells of other backends. A world in which a preemption has no count is left out: that of the
    others would be another quantity. Raises HeadraceError when the events can't be read.
    """
    if "backend=published" not in requests_file.parts:
        return None
    file = requests_file.with_name("events.parquet")
    try:
        events = pl.read_parquet(file, columns=["world", "kind", "concurrent_requests"])
    except (OSError, pl.exceptions.PolarsError) as error:
        cause = str(error).splitlines()[0]
        raise HeadraceError(file, f"can't be read ({cause})", "read the run logs again") from error
    preempted = events.filter(pl.col("kind").str.starts_with("preempted_"))
    counts = {
        world: table["concurrent_requests"]
        for (world,), table in preempted.partition_by("world", as_dict=True).items()
    }
    return {world: count.to_numpy() for world, count in counts.items() if not count.has_nulls()}
