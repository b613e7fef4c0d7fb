"""Copies of blocks, on CPU tensors, against a model that keeps the content of every block."""

import pytest
import torch
from fake_cuda import FakeCuda
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.vllm import block_copies
from headrace.vllm.block_copies import PlainCopies, StreamCopies, pages
from headrace.vllm.host_pool import Copy, HostPool

BLOCKS = 13
REQUESTS = ("a", "b", "c")


def layer(*shape, dtype=torch.bfloat16):
    """Random bits."""
    of_words = torch.randint(-(2**7), 2**7 - 1, (*shape[:-1], shape[-1] * dtype.itemsize), dtype=torch.int8)
    return of_words.view(dtype)


def cache(layout):
    """The KV caches of two layers in a layout that vLLM knows."""
    if layout == "blocks first":  # [B, H, N, C], as vLLM hands all of them over from 0.32 on
        return {f"layer{i}": layer(BLOCKS, 2, 4, 8) for i in range(2)}
    if layout == "K and V first":  # [2, B, N, H, C], FlashAttention's before
        return {f"layer{i}": layer(2, BLOCKS, 4, 3, 8) for i in range(2)}
    if layout == "tokens before heads":  # [B, N, H, C] in memory
        return {f"layer{i}": layer(BLOCKS, 4, 2, 8).permute(0, 2, 1, 3) for i in range(2)}
    if layout == "layers within a block":  # [B, L, H, N, C] in memory
        return dict(zip(("layer0", "layer1"), layer(BLOCKS, 2, 2, 4, 8).unbind(1), strict=True))
    if layout == "kernel blocks":  # a block is three of the kernel's
        return {f"layer{i}": layer(3 * BLOCKS, 2, 4, 8) for i in range(2)}
    if layout == "8 bits":
        return {f"layer{i}": layer(BLOCKS, 2, 4, 8, dtype=torch.float8_e4m3fn) for i in range(2)}
    if layout == "odd sizes":  # nothing wider than a byte fits both
        return {
            "layer0": layer(BLOCKS, 1, 1, 3, dtype=torch.uint8),
            "layer1": layer(BLOCKS, 2, 1, 5, dtype=torch.uint8),
        }
    assert layout == "a shared layer"
    shared = layer(BLOCKS, 2, 4, 8)
    return {"layer0": shared, "layer1": shared, "layer2": layer(BLOCKS, 2, 4, 8)}


LAYOUTS = (
    "blocks first",
    "K and V first",
    "tokens before heads",
    "layers within a block",
    "kernel blocks",
    "8 bits",
    "odd sizes",
    "a shared layer",
)


def content(caches, block):
    """All bytes of a block, from the caches as vLLM has them."""
    of_layers = []
    for tensor in caches.values():
        axis = 1 if tensor.shape[0] == 2 else 0
        size = tensor.shape[axis] // BLOCKS
        part = tensor.narrow(axis, block * size, size).contiguous().view(torch.uint8)
        of_layers.append(part.flatten())
    return torch.cat(of_layers).tolist()


def scramble(caches, blocks):
    """Someone else writes into these blocks."""
    for tensor in caches.values():
        axis = 1 if tensor.shape[0] == 2 else 0
        size = tensor.shape[axis] // BLOCKS
        for block in blocks:
            part = tensor.narrow(axis, block * size, size)
            part.copy_(layer(*part.shape, dtype=tensor.dtype))


def make(kind, caches, host_blocks, cuda, rows):
    """A copier, and the host memory that it got."""
    layers = pages(caches, BLOCKS)
    host = torch.zeros((host_blocks, sum(page[0].numel() for page in layers)), dtype=layers[0].dtype)
    if kind == "plain":
        return PlainCopies(layers, host)
    return StreamCopies(layers, host, cuda, staging_bytes=rows * host[0].nbytes)


@pytest.mark.parametrize("kind", ("plain", "streams"))
@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(("out", "in")), st.sampled_from(REQUESTS), st.integers(1, 6)), max_size=12
    ),
    host_blocks=st.integers(1, 9),
    rows=st.integers(1, 4),
    random=st.randoms(use_true_random=False),
)
def test_blocks_come_back_bit_by_bit(kind, layout, steps, host_blocks, rows, random):
    """After each swap-out the GPU blocks are someone else's; races between streams are none."""
    caches, pool, kept = cache(layout), HostPool(host_blocks), {}
    cuda = FakeCuda()
    with cuda:
        copier = make(kind, caches, host_blocks, cuda, rows)
    for direction, request, n in steps:
        ids = random.sample(range(BLOCKS), n)
        if direction == "out" and request not in kept and n <= pool.free:
            pool.swap_out(request, ids)
            kept[request] = [content(caches, block) for block in ids]
        elif direction == "in" and len(kept.get(request, ())) in range(1, n + 1):
            pool.swap_in(request, ids)
        else:
            continue
        untouched = {block: content(caches, block) for block in range(BLOCKS) if block not in ids}
        for copy in pool.take_copies():
            with cuda:
                copier.copy(copy)
        if direction == "out":
            scramble(caches, ids)
        else:
            wanted = kept.pop(request)
            assert [content(caches, block) for block in ids[: len(wanted)]] == wanted
        assert {block: content(caches, block) for block in untouched} == untouched
    assert cuda.races == []


def test_slots_are_reused_within_a_step():
    """Two requests change places in a pool for one of them, in one step, in the order of the calls."""
    caches, pool = cache("blocks first"), HostPool(3)
    copier = make("plain", caches, 3, None, 1)
    pool.swap_out("a", [1, 2, 3])
    a = [content(caches, block) for block in (1, 2, 3)]
    copier.copy(pool.take_copies()[0])
    scramble(caches, (1, 2, 3))
    b = [content(caches, block) for block in (1, 2, 3)]
    pool.swap_in("a", [7, 8, 9])
    pool.swap_out("b", [1, 2, 3])
    for copy in pool.take_copies():
        copier.copy(copy)
    assert [content(caches, block) for block in (7, 8, 9)] == a
    scramble(caches, (1, 2, 3))
    pool.swap_in("b", [4, 5, 6])
    for copy in pool.take_copies():
        copier.copy(copy)
    assert [content(caches, block) for block in (4, 5, 6)] == b


@pytest.mark.parametrize("direction", ("out", "in"))
@pytest.mark.parametrize("deaf", ("compute", "side"))
def test_each_wait_is_needed(direction, deaf):
    """A stream that does not wait is a race, in both directions: over more pieces than there are buffers."""
    for deaf_streams, expected in (((), False), ((deaf,), True)):
        cuda, caches = FakeCuda(deaf_streams), cache("blocks first")
        with cuda:
            copier = make("streams", caches, 6, cuda, 2)
            copier.copy(Copy(direction, list(range(6)), list(range(6))))
        assert bool(cuda.races) is expected


def test_which_dimension_counts_blocks_must_be_clear():
    with pytest.raises(HeadraceError, match=r"KV cache of it: more than one dimension of \(4, 4, 2, 8\)"):
        pages({"it": layer(4, 4, 2, 8)}, 4)
    with pytest.raises(HeadraceError, match=r"KV cache of it: no dimension of \(5, 3, 2, 8\)"):
        pages({"it": layer(5, 3, 2, 8)}, 4)


def test_memory_that_cannot_be_had_is_one_line():
    with pytest.raises(
        HeadraceError, match=r"host_blocks: 1152921504606846976 blocks of .* could not be had"
    ):
        block_copies.block_copies(pages(cache("blocks first"), BLOCKS), 2**60)
