"""The measurements of one profile, in order: swaps first, then passes with their context in the same pool.

What takes most memory comes early, so that what fails for lack of it fails before minutes have passed.
"""

from collections.abc import Callable
from functools import partial

import torch

from headrace.perf.architecture import Model
from headrace.perf.documents import BLOCK_TOKENS
from headrace.perf.profiler.clock import measure
from headrace.perf.profiler.grid import DROPPED, REPEATS, STEP_DROPPED, STEP_REPEATS, Grid
from headrace.perf.profiler.llama import make_llama
from headrace.perf.profiler.passes import Passes
from headrace.perf.profiler.progress import progress
from headrace.perf.profiler.ranks import Ranks
from headrace.perf.profiler.sections import Measured
from headrace.perf.profiler.swaps import Swaps


def measure_all(grid: Grid, model: Model, ranks: Ranks, graphs: bool) -> Measured:
    """Everything on the grid. Every rank does the same at the same time; the first one shows progress."""
    elements_per_token = model.kv_heads // ranks.size * model.head_dim
    pool = torch.empty(
        grid.pool_tokens * 2 * model.layers * elements_per_token,
        dtype=getattr(torch, model.dtype),
        device=ranks.device,
    ).normal_()
    measured = Measured()
    with progress(grid.measurements, ranks.first) as advance:
        swaps = Swaps(pool, model.layers, elements_per_token, grid.swap[-1])
        _measure_swaps(swaps, grid, ranks, measured, advance)
        del swaps
        torch.cuda.empty_cache()
        _measure_passes(Passes(make_llama(model, ranks), pool, ranks, graphs), grid, measured, advance)
    return measured


@torch.inference_mode()
def _measure_swaps(
    swaps: Swaps, grid: Grid, ranks: Ranks, measured: Measured, advance: Callable[[str], None]
) -> None:
    for tokens in grid.swap:
        blocks = -(-tokens // BLOCK_TOKENS)
        for table, out, back in (
            (measured.swap, swaps.out_batched, swaps.in_batched),
            (measured.swap_per_block, swaps.out_per_block, swaps.in_per_block),
        ):
            out_s = measure(partial(out, blocks), ranks, REPEATS, DROPPED)
            advance("swap out")
            in_s = measure(partial(back, blocks), ranks, REPEATS, DROPPED)
            advance("swap in")
            table[tokens] = in_s, out_s


def _measure_passes(passes: Passes, grid: Grid, measured: Measured, advance: Callable[[str], None]) -> None:
    for tokens in grid.recompute:
        measured.recompute[tokens] = passes.seconds((1, tokens, 0), REPEATS, DROPPED)
        advance("recompute")
    for shape in grid.steps:
        measured.steps[shape] = passes.seconds(shape, STEP_REPEATS, STEP_DROPPED)
        advance("step")
