"""The targets of the simulator, computed from the scorecard: met or missed, on which rows.

World 0 is what counts (`reproduced`). Calibrated, input and excluded rows are never counted, and a speedup
only where the target is about speedups: it restates seconds.
"""

from functools import partial

import polars as pl

from headrace.fidelity import grid_targets as grid
from headrace.fidelity import pressure_targets as pressure
from headrace.fidelity.parity import throughput_ratios
from headrace.fidelity.rows import WORKLOADS
from headrace.fidelity.target import ROUNDING, Target
from headrace.tables.markdown import signed_percent

PARITY_ERROR = 0.02


def targets(
    scorecard: pl.DataFrame, floor: pl.DataFrame | None = None, parity: pl.DataFrame | None = None
) -> list[Target]:
    """All targets, and the lines that stand beside them for comparison.

    floor: as `floor.read` gives it; parity: as `parity.read` does; a line that needs one that is not there is
    not computed, or stands without its floor.
    """
    card = scorecard
    lines = [
        partial(grid.error, card, floor, "median"),
        partial(grid.error, card, floor, "P90"),
        partial(grid.against_null, card),
        partial(grid.inside, card),
        partial(grid.inside_widened, card),
        partial(grid.signs, card),
        partial(grid.order, card),
        partial(pressure.collapse, card, floor),
        partial(pressure.speedups, card, floor),
        partial(pressure.preemptions, card, floor),
        partial(pressure.swap_share, card, floor),
        partial(_parity, parity),
        partial(grid.all_inside, card),
    ]
    found = [line(workload) for line in lines for workload in WORKLOADS]
    found.append(pressure.concurrent(card, floor, "crawler"))
    return found + [line for workload in WORKLOADS for line in pressure.collapses(card, workload)]


def _parity(parity: pl.DataFrame | None, workload: str) -> Target:
    ratios = throughput_ratios(parity, workload)
    worst = max((abs(ratio - 1) for ratio, _ in ratios.values()), default=None)
    return Target(
        name="throughput with all arrivals at t = 0, streaming over non-streaming",
        workload=workload,
        value=worst,
        bound=PARITY_ERROR,
        how="largest deviation of a policy's ratio from 1, median over worlds",
        rows=len(ratios),
        misses=tuple(
            f"{policy}: {signed_percent(ratio - 1)} ({ratio:.3f}); the engine's busy time alone: {alone:.3f}"
            for policy, (ratio, alone) in ratios.items()
            if abs(ratio - 1) > PARITY_ERROR + ROUNDING
        ),
    )
