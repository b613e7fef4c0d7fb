"""Which host slots hold the KV blocks of which swapped-out request, and the copies that a step has to do."""

from collections.abc import Sequence
from typing import Literal, NamedTuple


class HostPoolError(AssertionError):
    """More was asked of the pool than it has, or of a request than it holds: a fault of the caller."""


Direction = Literal["out", "in"]
"""Of a copy, seen from the GPU."""


class Copy(NamedTuple):
    """KV blocks that move one way: `gpu_blocks[i]` to or from `host_slots[i]`."""

    direction: Direction
    gpu_blocks: list[int]
    host_slots: list[int]


class HostPool:
    """A free list of `blocks` slots of one KV block each, and the copies in the order they were asked for.

    A slot that a swap-in gives back may be taken by a swap-out of the same step, and a GPU block that a
    swap-out frees by a swap-in: so the worker has to do the copies in their order.
    """

    def __init__(self, blocks: int):
        self.blocks = blocks
        self._free = list(range(blocks - 1, -1, -1))  # a stack: lowest slot first, and those last freed
        self._slots: dict[str, list[int]] = {}
        self._copies: list[Copy] = []

    @property
    def free(self) -> int:
        """Slots that hold nothing."""
        return len(self._free)

    def holds(self, request_id: str) -> int:
        """Blocks of the request in the pool."""
        return len(self._slots.get(request_id, ()))

    def swap_out(self, request_id: str, block_ids: Sequence[int]) -> None:
        """Keep these GPU blocks, in the order of the request's tokens. Raises HostPoolError.

        The GPU may hand the blocks out again at once: the copy is done before anything is written there.
        """
        if request_id in self._slots:
            raise HostPoolError(f"request {request_id} is swapped out already")
        if not 0 < len(block_ids) <= self.free:
            raise HostPoolError(
                f"request {request_id} swaps {len(block_ids)} blocks out, {self.free} of {self.blocks} free"
            )
        slots = self._free[: -len(block_ids) - 1 : -1]
        del self._free[-len(block_ids) :]
        self._slots[request_id] = slots
        self._copies.append(Copy("out", list(block_ids), list(slots)))

    def swap_in(self, request_id: str, block_ids: Sequence[int]) -> None:
        """Bring what is held back into the first of these blocks and free the slots. Raises HostPoolError."""
        held = self.holds(request_id)
        if not 0 < held <= len(block_ids):
            raise HostPoolError(f"request {request_id} has {held} blocks for {len(block_ids)} of the GPU")
        self._copies.append(Copy("in", list(block_ids[:held]), list(self._slots[request_id])))
        self.trim(request_id, 0)

    def trim(self, request_id: str, blocks: int) -> None:
        """Keep only the first `blocks` of the request, if it holds more."""
        slots = self._slots.get(request_id, [])
        self._free.extend(reversed(slots[blocks:]))
        del slots[blocks:]
        if not slots:
            self._slots.pop(request_id, None)

    def forget(self, request_id: str) -> None:
        """Keep nothing of the request."""
        self.trim(request_id, 0)

    def take_copies(self) -> list[Copy]:
        """The copies asked for since the last call, in order."""
        copies, self._copies = self._copies, []
        return copies
