"""A swap moves the blocks it says, all of them and no others."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.perf.documents import BLOCK_TOKENS
from headrace.perf.profiler.swaps import Swaps

LAYERS, ELEMENTS = 3, 4


def swaps_of(pool_blocks, largest_tokens):
    """A pool in which every element is another number."""
    pool = torch.arange(LAYERS * 2 * pool_blocks * BLOCK_TOKENS * ELEMENTS, dtype=torch.float32)
    return Swaps(pool, LAYERS, ELEMENTS, largest_tokens)


def test_blocks_lie_scattered_in_the_pool():
    chosen = swaps_of(64, 1024).chosen.tolist()
    assert len(set(chosen)) == 64 and chosen != sorted(chosen)


@pytest.mark.parametrize("per_block", [False, True])
def test_the_host_gets_the_chosen_blocks(per_block):
    swaps = swaps_of(20, 160)
    (swaps.out_per_block if per_block else swaps.out_batched)(7)
    assert torch.equal(swaps.host_blocks(7, per_block), swaps.pool[:, :, swaps.chosen[:7]])


def test_per_block_makes_a_copy_per_layer_k_and_v_and_block(monkeypatch):
    swaps, sizes = swaps_of(20, 160), []

    def counted(targets, sources, non_blocking):
        assert non_blocking
        sizes.extend(source.nbytes for source in sources)

    monkeypatch.setattr(torch, "_foreach_copy_", counted)
    swaps.out_per_block(5)
    assert sizes == [BLOCK_TOKENS * ELEMENTS * 4] * (LAYERS * 2 * 5)


@settings(max_examples=40, deadline=None)
@given(
    pool_blocks=st.integers(2, 30),
    share=st.floats(0, 1),
    out_per_block=st.booleans(),
    in_per_block=st.booleans(),
)
def test_out_and_in_again_restores_the_pool(pool_blocks, share, out_per_block, in_per_block):
    most = max(1, round(share * pool_blocks))
    blocks = max(1, most - 1)
    swaps = swaps_of(pool_blocks, most * BLOCK_TOKENS)
    before = swaps.pool.clone()
    (swaps.out_per_block if out_per_block else swaps.out_batched)(blocks)
    moved = swaps.host_blocks(blocks, out_per_block).clone()
    swaps.pool[:, :, swaps.chosen[:blocks]] = -1
    swaps.host_blocks(blocks, in_per_block).copy_(moved)
    (swaps.in_per_block if in_per_block else swaps.in_batched)(blocks)
    assert torch.equal(swaps.pool, before)
