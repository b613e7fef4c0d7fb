"""Copies of KV blocks between the engine's KV cache and host memory: torch, and nothing of vLLM.

On the host a block is one row: the bytes of all layers, one after the other. So a block that is copied over
PCIe is one large copy, and not one per layer.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import torch

from headrace.errors import HeadraceError
from headrace.vllm.host_pool import Copy

WORDS = (torch.int64, torch.int32, torch.int16, torch.uint8)
"""What a page may be copied as, whatever it holds: the widest that fits is the fastest to gather."""
STAGING_BYTES = 64 * 2**20
"""Of each of the two buffers on the GPU in which blocks lie in a row; at least one block."""


class BlockCopies(Protocol):
    """Does copies in the order in which they are given."""

    def copy(self, copy: Copy) -> None: ...

    def finish(self) -> None:
        """Wait until all copies are done."""

    def close(self) -> None:
        """Finish what is under way and give the host memory back."""


def block_copies(layers: Sequence[torch.Tensor], host_blocks: int) -> BlockCopies:
    """For `pages` of a KV cache and a pool of so many rows. Raises HeadraceError if memory is missing."""
    words = sum(layer[0].numel() for layer in layers)
    try:
        host = torch.empty((host_blocks, words), dtype=layers[0].dtype)
        if not layers[0].is_cuda:
            return PlainCopies(layers, host)
        pin(host)
        return StreamCopies(layers, host, torch.cuda)
    except (MemoryError, RuntimeError) as error:  # torch says both, and its OutOfMemoryError is one
        raise HeadraceError(
            "host_blocks",
            f"{host_blocks} blocks of {words * layers[0].itemsize} bytes could not be had ({error})",
            "fewer of them, or more memory",
        ) from error


def pages(kv_caches: Mapping[str, torch.Tensor], num_blocks: int) -> list[torch.Tensor]:
    """Views [num_blocks, words of a page ...] of the layers' KV caches, each memory once, all of one word.

    Layers that share a cache are one. A kernel's blocks that are parts of a block are folded into it.
    Raises HeadraceError where it is not clear which dimension counts blocks.
    """
    views = {}
    for name, cache in kv_caches.items():
        axis = block_axis(name, cache.shape, num_blocks)
        blocks = cache.movedim(axis, 0).unflatten(0, (num_blocks, -1))
        views.setdefault((cache.data_ptr(), tuple(blocks.shape), tuple(blocks.stride())), blocks)
    for word in WORDS:
        try:
            return [view.view(word) for view in views.values()]
        except RuntimeError:  # a page is no whole number of such words, or they are not side by side
            continue
    raise HeadraceError("SwapConnector", "this layout of the KV cache can't be copied", "another layout")


def block_axis(name: str, shape: Sequence[int], num_blocks: int) -> int:
    """The dimension of a layer's KV cache that counts blocks: the first, or the second after K and V."""
    axes = [axis for axis, size in enumerate(shape[:2]) if size and size % num_blocks == 0]
    if len(axes) != 1:
        found = "no" if not axes else "more than one"
        raise HeadraceError(
            f"SwapConnector: KV cache of {name}",
            f"{found} dimension of {tuple(shape)} counts the {num_blocks} blocks",
            "another number of KV blocks" if axes else "an attention backend with a cache of blocks",
        )
    return axes[0]


def parts(rows: torch.Tensor, layers: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """Of [n, words] with a block in each row: each layer's part, shaped [n, words of its page ...]."""
    cut = rows.split([layer[0].numel() for layer in layers], dim=1)
    return [part.unflatten(1, layer.shape[1:]) for part, layer in zip(cut, layers, strict=True)]


def runs(slots: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Slots that follow each other are one copy: (index into `slots`, first slot, how many)."""
    start = 0
    for i in range(1, len(slots) + 1):
        if i == len(slots) or slots[i] != slots[i - 1] + 1:
            yield start, slots[start], i - start
            start = i


class PlainCopies:
    """Indexing, for a KV cache that lies in host memory itself."""

    def __init__(self, layers: Sequence[torch.Tensor], host: torch.Tensor):
        self.layers, self.host = layers, parts(host, layers)

    def copy(self, copy: Copy) -> None:
        blocks, slots = torch.tensor(copy.gpu_blocks), torch.tensor(copy.host_slots)
        for layer, host in zip(self.layers, self.host, strict=True):
            if copy.direction == "out":
                host.index_copy_(0, slots, layer.index_select(0, blocks))
            else:
                layer.index_copy_(0, blocks, host.index_select(0, slots))

    def finish(self) -> None:
        pass

    def close(self) -> None:
        self.host = []


class StreamCopies:
    """Pinned host memory, a stream beside the one that computes, and two buffers between them.

    The stream that computes gathers blocks into a buffer and scatters them from one, so the KV cache is only
    touched in the order of its own work, before the forward pass that comes next. The other stream carries
    buffers over PCIe: out, while the forward pass already runs; in, before it. It alone touches the host
    memory, in the order of the copies. `cuda` is torch.cuda.
    """

    def __init__(
        self,
        layers: Sequence[torch.Tensor],
        host: torch.Tensor,
        cuda,
        staging_bytes: int = STAGING_BYTES,
    ):
        self.layers, self.host, self.cuda = layers, host, cuda
        self.rows = min(max(1, staging_bytes // host[0].nbytes), len(host))
        device = layers[0].device
        self.staging = [
            torch.empty((self.rows, host.shape[1]), dtype=host.dtype, device=device) for _ in range(2)
        ]
        self.parts = [parts(buffer, layers) for buffer in self.staging]
        self.left = [cuda.Event() for _ in self.staging]  # whoever had the buffer last is done with it
        self.side = cuda.Stream()
        self.turn = 0
        # The buffers were allocated on the stream that computes now.
        self.side.wait_stream(cuda.current_stream())

    def copy(self, copy: Copy) -> None:
        device = self.layers[0].device
        carry = self._out if copy.direction == "out" else self._in
        for first in range(0, len(copy.gpu_blocks), self.rows):
            blocks = torch.tensor(
                copy.gpu_blocks[first : first + self.rows], pin_memory=device.type == "cuda"
            )
            carry(blocks.to(device, non_blocking=True), copy.host_slots[first : first + self.rows])
            self.turn = 1 - self.turn

    def _out(self, blocks: torch.Tensor, slots: Sequence[int]) -> None:
        compute, staging, left = self.cuda.current_stream(), self.staging[self.turn], self.left[self.turn]
        compute.wait_event(left)
        for layer, part in zip(self.layers, self.parts[self.turn], strict=True):
            part[: len(slots)].copy_(layer.index_select(0, blocks))
        gathered = self.cuda.Event()
        gathered.record(compute)
        self.side.wait_event(gathered)
        with self.cuda.stream(self.side):
            for row, slot, n in runs(slots):
                self.host[slot : slot + n].copy_(staging[row : row + n], non_blocking=True)
        left.record(self.side)

    def _in(self, blocks: torch.Tensor, slots: Sequence[int]) -> None:
        compute, staging, left = self.cuda.current_stream(), self.staging[self.turn], self.left[self.turn]
        self.side.wait_event(left)
        with self.cuda.stream(self.side):
            for row, slot, n in runs(slots):
                staging[row : row + n].copy_(self.host[slot : slot + n], non_blocking=True)
        arrived = self.cuda.Event()
        arrived.record(self.side)
        compute.wait_event(arrived)
        for layer, part in zip(self.layers, self.parts[self.turn], strict=True):
            layer.index_copy_(0, blocks, part[: len(slots)])
        left.record(compute)

    def finish(self) -> None:
        self.side.synchronize()  # waits for what it reads
        self.cuda.current_stream().synchronize()

    def close(self) -> None:
        self.finish()
        unpin(self.host)
        self.host = self.staging = self.parts = None


def pin(host: torch.Tensor) -> None:
    """Register memory with CUDA. torch's own pinned memory comes in powers of two: up to twice as much."""
    failed = int(torch.cuda.cudart().cudaHostRegister(host.data_ptr(), host.nbytes, 0))
    if failed:
        raise HeadraceError(
            "host_blocks",
            f"{host.nbytes} bytes of host memory can't be pinned (CUDA error {failed})",
            "fewer of them, or a higher limit of locked memory (ulimit -l)",
        )


def unpin(host: torch.Tensor) -> None:
    """Undo `pin`; nothing to do for memory that never was."""
    if torch.cuda.is_available() and host.is_pinned():
        torch.cuda.cudart().cudaHostUnregister(host.data_ptr())
