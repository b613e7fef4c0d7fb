"""The account of KV blocks, on the GPU and in the host's swap pool."""

from collections.abc import Iterable

from headrace.request import Request


class LedgerError(AssertionError):
    """Blocks were taken that are not there, or given back that are not held: a fault of the caller."""


class Ledger:
    """Counts who holds how many blocks; every operation is checked, none can overdraw a pool.

    `blocks` and `host_blocks` are the sizes of the two pools; `free` and `host_free` what is left.
    """

    __slots__ = ("block_size", "blocks", "free", "host_blocks", "host_free")

    def __init__(self, blocks: int, host_blocks: int, block_size: int):
        self.blocks = self.free = blocks
        self.host_blocks = self.host_free = host_blocks
        self.block_size = block_size

    def grow(self, request: Request, blocks: int) -> None:
        """Hand `blocks` more GPU blocks to the request."""
        if not 0 <= blocks <= self.free:
            raise LedgerError(f"{request} asks for {blocks} blocks of {self.free} free")
        self.free -= blocks
        request.blocks += blocks

    def release(self, request: Request) -> None:
        """Take all of its GPU blocks back."""
        self.free += request.blocks
        request.blocks = 0
        if self.free > self.blocks:
            raise LedgerError(f"{request} gave back more than it held")

    def trim(self, request: Request, tokens: int) -> None:
        """Free the blocks wholly beyond its first `tokens`, pre-allocated ones too, on both sides."""
        keep = -(-tokens // self.block_size)
        if request.blocks > keep:
            self.free += request.blocks - keep
            request.blocks = keep
        if request.host_blocks > keep:
            self.host_free += request.host_blocks - keep
            request.host_blocks = keep

    def swap_out(self, request: Request) -> int:
        """Move what is computed to the host pool, free the GPU blocks; returns blocks to copy."""
        copied = -(-request.computed // self.block_size)
        if copied > self.host_free:
            raise LedgerError(f"{request} needs {copied} host blocks of {self.host_free} free")
        self.host_free -= copied
        request.host_blocks = copied
        self.release(request)
        return copied

    def swap_in(self, request: Request, blocks: int) -> int:
        """Bring the host copy back into `blocks` new GPU blocks; returns blocks to copy."""
        copied = request.host_blocks
        if blocks < copied:
            raise LedgerError(f"{request} needs {copied} blocks for its host copy, was given {blocks}")
        self.grow(request, blocks)
        self.host_free += copied
        request.host_blocks = 0
        return copied

    def drop(self, request: Request) -> None:
        """Forget the request: both sides get their blocks back."""
        self.release(request)
        self.host_free += request.host_blocks
        request.host_blocks = 0

    def audit(self, requests: Iterable[Request]) -> None:
        """Compare the account with what the requests hold, block by block. Raises LedgerError."""
        held = host_held = 0
        for request in requests:
            held += request.blocks
            host_held += request.host_blocks
        if self.free + held != self.blocks or self.host_free + host_held != self.host_blocks:
            raise LedgerError(
                f"{self.blocks} blocks: {held} held and {self.free} free; "
                f"{self.host_blocks} host blocks: {host_held} held and {self.host_free} free"
            )
