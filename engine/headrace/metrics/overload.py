"""Overload: more work arrives than the engine can do, and every number depends on how long that lasts."""

from pathlib import Path

import numpy as np
import polars as pl

from headrace.axes import TYPES
from headrace.errors import HeadraceError
from headrace.files import read_json

THIRDS = 3
GROWTH = 1.4
"""Mean backlog, last third of the arrivals over the middle one: 5/3 if it grows evenly, 1 if it holds."""
FEWEST = 4.0
"""A backlog below this many requests is none."""
SAMPLES = 400


def growing_backlog(requests: pl.DataFrame) -> bool:
    """Whether ever more requests of one world wait for the engine while queries still arrive.

    The backlog counts requests that are handed over whole and have no first token yet, at evenly spaced
    times; it grows if its mean in the last third of the arrivals is above `GROWTH` times that in the middle
    third, and above `FEWEST`. A request that was refused takes no part.
    """
    served = requests.filter(pl.col("first_token_s").is_not_null())
    if served.is_empty():
        return False
    arrivals = served["arrival_s"].to_numpy()
    begin, end = float(arrivals.min()), float(arrivals.max())
    times = np.linspace(begin + (end - begin) / THIRDS, end, 2 * SAMPLES)
    handed = np.sort(served["handed_over_s"].to_numpy())
    first = np.sort(served["first_token_s"].to_numpy())
    waiting = np.searchsorted(handed, times, side="right") - np.searchsorted(first, times, side="right")
    middle, last = waiting[:SAMPLES].mean(), waiting[SAMPLES:].mean()
    return bool(last > FEWEST and last > GROWTH * middle)


def offered_loads(requests_file: Path) -> dict[int, float]:
    """Offered load (busy seconds / arrival span) by world, from the cell.json beside a requests table.

    Empty where there is none, or where it does not say: run logs don't know how long the GPU was busy.
    Raises HeadraceError for a cell.json that can't be read or is not one.
    """
    file = requests_file.with_name("cell.json")
    if not file.exists():
        return {}
    try:
        worlds = read_json(file).get("worlds", [])
        loads = {world["world"]: world.get("offered_load") for world in worlds}
        return {world: float(load) for world, load in loads.items() if load is not None}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise HeadraceError(
            file, "worlds is no list of worlds with their offered_load", "delete it and run the cell again"
        ) from error


def is_overloaded(requests: pl.DataFrame, load: float | None = None) -> bool:
    """Whether one world is overload: its offered load, where known, is above 1, or its backlog grows."""
    return (load is not None and load > 1) or growing_backlog(requests)


def overloaded_cell(requests: pl.DataFrame, loads: dict[int, float]) -> bool:
    """Whether a cell is marked as overload: more than half of its worlds are.

    `requests` has all worlds; `loads` is what `offered_loads` found.
    """
    worlds = requests.partition_by("world", as_dict=True).items()
    marked = [is_overloaded(table, loads.get(world)) for (world,), table in worlds]
    return 2 * sum(marked) > len(marked)


def overloaded_cells(metrics: pl.DataFrame) -> pl.DataFrame:
    """Per cell of a metrics table: its axes and `overload` (bool), marked as `overloaded_cell` does."""
    worlds = metrics.filter(quantity="overload")
    return worlds.group_by([*TYPES], maintain_order=True).agg(overload=pl.col("value").mean() > 0.5)
