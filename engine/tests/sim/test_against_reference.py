"""The product against the independent reference simulator, on random cells: everything must be equal.

`python engine/tests/sim/test_against_reference.py --seconds 60` looks for a difference for longer and prints
the smallest cell that it can make of it.
"""

import argparse
import random
import sys
import time
from dataclasses import replace

import product
import pytest
import reference
from cells import AXES, Cell, random_cell

from headrace.kv import LedgerError
from headrace.sim import LivelockError

FIELDS = (
    "opened_s",
    "handed_over_s",
    "last_chunk_s",
    "first_token_s",
    "finished_s",
    "computed_tokens",
    "invalidated_tokens",
    "preemptions_recompute",
    "preemptions_swap",
)


def difference(cell: Cell) -> str | None:
    """Where the two part first, in words; None when they agree in everything."""
    expected = cell.run(reference.simulate)
    try:
        got = cell.run(product.simulate)
    except (LivelockError, LedgerError) as error:
        return f"the product stopped: {error!r}"
    for index, (ours, theirs) in enumerate(zip(got.trace, expected.trace, strict=False)):
        if ours != theirs:
            return f"step {index}: product {ours!r}, reference {theirs!r}"
    for name in ("steps", "busy_s", "end_s", "refused"):
        if getattr(got, name) != getattr(expected, name):
            return f"{name}: product {getattr(got, name)}, reference {getattr(expected, name)}"
    for ours, theirs in zip(got.requests, expected.requests, strict=True):
        for name in FIELDS:
            if getattr(ours, name) != getattr(theirs, name):
                return (
                    f"request {ours.id}, {name}: product {getattr(ours, name)}, "
                    f"reference {getattr(theirs, name)}"
                )
    if len(got.trace) != len(expected.trace):
        return f"product {len(got.trace)} steps, reference {len(expected.trace)}"
    return None


def cell_of(seed: int) -> Cell:
    """The cell of a seed: seeds walk through all axes; every 40th cell is larger."""
    draw = random.Random(seed)
    return random_cell(draw, *AXES[seed % len(AXES)], requests=40 if seed % 40 == 39 else 10)


def smallest(cell: Cell) -> Cell:
    """Leave out requests for as long as a difference remains."""
    for request in reversed(range(len(cell.output_tokens))):
        less = cell.without(request)
        if less.hand_overs and difference(less):
            return smallest(less)
    return cell


@pytest.mark.parametrize("axes", range(len(AXES)), ids=["-".join(map(str, axes)) for axes in AXES])
def test_random_cells_agree_in_every_step(axes):
    for seed in range(axes, axes + 100 * len(AXES), len(AXES)):
        found = difference(cell_of(seed))
        assert found is None, f"seed {seed}: {found}\n{smallest(cell_of(seed))}"


def test_the_cells_are_tight_enough_to_reach_every_operation():
    names = "swap", "recompute", "invalidated", "refused", "load", "idle load", "itself"
    seen = dict.fromkeys(names, 0)
    for seed in range(50 * len(AXES)):
        outcome = cell_of(seed).run(reference.simulate)
        for step in outcome.trace:
            for victim, how, asking, _ in step.evictions:
                seen[how] += 1
                seen["itself"] += victim == asking
            runs = {request for request, _ in step.runs}
            seen["load"] += len(step.loads)
            seen["idle load"] += any(request not in runs for request, _ in step.loads)
        seen["refused"] += len(outcome.refused)
        seen["invalidated"] += any(request.invalidated_tokens for request in outcome.requests)
    assert min(seen.values()) >= 5, seen


@pytest.mark.parametrize("name", ["held_tokens", "whole_blocks", "evict_for_slots"])
def test_every_limit_in_which_executors_differ_changes_what_is_done(name):
    """Otherwise it would be no news that both simulators agree on it."""
    changed = 0
    for seed in range(400):
        cell = cell_of(seed)
        other = type(getattr(cell.limits, name))(not getattr(cell.limits, name))
        moved = replace(cell, limits=replace(cell.limits, **{name: other}))
        changed += moved.run(reference.simulate).trace != cell.run(reference.simulate).trace
    assert changed >= 10


def test_both_stop_when_a_stream_is_never_closed():
    cell = cell_of(2)
    *_, last = cell.hand_overs
    open_for_ever = replace(cell, hand_overs=(*cell.hand_overs[:-1], (*last[:-1], False)))
    with pytest.raises(reference.Stuck):
        open_for_ever.run(reference.simulate)
    with pytest.raises(LivelockError, match=f"request {last[1]} "):
        open_for_ever.run(product.simulate)


def search(seconds: float, seed: int) -> int:
    """Compare cells from `seed` on for so long; returns 1 when a difference was found, else 0."""
    first, end = seed, time.monotonic() + seconds
    while time.monotonic() < end:
        found = difference(cell_of(seed))
        if found:
            cell = smallest(cell_of(seed))
            print(f"seed {seed}: {found}\n{cell}\nsmallest: {difference(cell)}")
            return 1
        seed += 1
    print(f"{seed - first} cells agree")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long to look (default 60)")
    parser.add_argument("--seed", type=int, default=1_000_000, help="of the first cell")
    arguments = parser.parse_args()
    sys.exit(search(arguments.seconds, arguments.seed))
