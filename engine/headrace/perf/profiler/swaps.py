"""KV blocks moved between a paged pool on the GPU and pinned memory of the host, in two ways.

Batched: the blocks are gathered into one buffer, which is one copy; and back. Per block, as the published
engine does it (Stream2LLM artifact): one asynchronous copy per layer, per K and V and per block, issued
one by one on the stream that computes. The loop over the blocks is torch's, in C++: what is timed is the
launches, not Python.
"""

from collections.abc import Iterator
from itertools import product

import torch

from headrace.perf.documents import BLOCK_TOKENS


class Swaps:
    """A pool of blocks on the device, some of them to be moved, and their place on the host.

    pool: one dimension, cut into (layers, K and V, blocks, words of a block). `largest_tokens` is the most
    that is moved at once; these blocks lie scattered in the pool.
    """

    def __init__(self, pool: torch.Tensor, layers: int, elements_per_token: int, largest_tokens: int):
        elements = BLOCK_TOKENS * elements_per_token
        blocks = pool.numel() // (layers * 2 * elements)
        # As words of 8 bytes: gathering blocks must not take longer for elements being small.
        words = pool[: layers * 2 * blocks * elements].view(torch.int64)
        self.pool = words.view(layers, 2, blocks, -1)
        most = -(-largest_tokens // BLOCK_TOKENS)
        generator = torch.Generator().manual_seed(0)
        self.chosen = torch.randperm(blocks, generator=generator)[:most].to(pool.device)
        size = layers * 2 * most * self.pool.shape[-1]
        self.staging = torch.empty(size, dtype=torch.int64, device=pool.device)
        self.host = torch.empty(size, dtype=torch.int64, pin_memory=pool.is_cuda)
        # Made once: a copy is all that is timed.
        self.views = list(self._views(most))

    def host_blocks(self, blocks: int, per_block: bool) -> torch.Tensor:
        """The first `blocks` moved, as they lie on the host: (layers, K and V, blocks, words)."""
        layers, two, _, words = self.pool.shape
        if per_block:
            return self.host.view(layers, two, -1, words)[:, :, :blocks]
        return self.host[: layers * two * blocks * words].view(layers, two, blocks, words)

    def out_batched(self, blocks: int) -> None:
        """GPU to host: gather, then one copy."""
        host = self.host_blocks(blocks, per_block=False)
        staging = self.staging[: host.numel()].view(host.shape)
        torch.index_select(self.pool, 2, self.chosen[:blocks], out=staging)
        host.copy_(staging, non_blocking=True)

    def in_batched(self, blocks: int) -> None:
        """Host to GPU: one copy, then scatter."""
        host = self.host_blocks(blocks, per_block=False)
        staging = self.staging[: host.numel()].view(host.shape)
        staging.copy_(host, non_blocking=True)
        self.pool.index_copy_(2, self.chosen[:blocks], staging)

    def out_per_block(self, blocks: int) -> None:
        """GPU to host: a copy for each layer, K and V, and block."""
        for on_gpu, on_host in self.views:
            torch._foreach_copy_(on_host[:blocks], on_gpu[:blocks], non_blocking=True)

    def in_per_block(self, blocks: int) -> None:
        """Host to GPU: a copy for each layer, K and V, and block."""
        for on_gpu, on_host in self.views:
            torch._foreach_copy_(on_gpu[:blocks], on_host[:blocks], non_blocking=True)

    def _views(self, most: int) -> Iterator[tuple[list[torch.Tensor], tuple[torch.Tensor, ...]]]:
        """Each block on the GPU and on the host, by layer and K or V."""
        host, chosen = self.host_blocks(most, per_block=True), self.chosen.tolist()
        for layer, which in product(range(self.pool.shape[0]), range(2)):
            pool = self.pool[layer, which]
            yield [pool[block] for block in chosen], host[layer, which].unbind()
