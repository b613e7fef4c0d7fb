"""The processes of one profile: one per GPU, each with its share of the weights and of the KV heads."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from headrace.errors import HeadraceError


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among all of them."""

    rank: int
    size: int
    device: str
    """cuda:0, cuda:1, ... or cpu."""

    @property
    def first(self) -> bool:
        """Whether this process reports and writes."""
        return self.rank == 0

    def together(self) -> None:
        """Wait for the others."""
        if self.size > 1:
            import torch.distributed as distributed

            distributed.barrier()

    def slowest(self, seconds: Sequence[float]) -> list[float]:
        """Of each entry, the largest over the processes: a step ends with its last GPU."""
        return self._reduced(seconds, "MAX")

    def least(self, sizes: Sequence[int]) -> list[int]:
        """Of each entry, the smallest over the processes."""
        return self._reduced(sizes, "MIN")

    def _reduced(self, numbers: Sequence[float], operation: str) -> list[float]:
        if self.size == 1:
            return list(numbers)
        import torch
        import torch.distributed as distributed

        dtype = torch.int64 if isinstance(numbers[0], int) else torch.float64
        reduced = torch.tensor(numbers, dtype=dtype, device=self.device)
        distributed.all_reduce(reduced, getattr(distributed.ReduceOp, operation))
        return reduced.tolist()


def check_launch(tensor_parallel: int, place: object) -> None:
    """Raise HeadraceError unless torchrun started as many processes as there are GPUs to profile."""
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != tensor_parallel:
        raise HeadraceError(
            place,
            f"{started} processes were started for tensor_parallel {tensor_parallel}",
            f"headrace.perf.profiler.run, or torchrun --nproc-per-node {tensor_parallel}",
        )
    if int(os.environ.get("LOCAL_WORLD_SIZE", "1")) != started:
        raise HeadraceError(place, "the processes are on several machines", "one machine with all GPUs")


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The processes that torchrun started (NCCL on GPUs, gloo on CPUs), or this one alone."""
    import torch

    rank, size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    if device == "cuda":
        torch.cuda.set_device(rank)
        device = f"cuda:{rank}"
    if size == 1:
        yield Ranks(rank, size, device)
        return
    import torch.distributed as distributed

    if device == "cpu":
        distributed.init_process_group("gloo")
    else:
        distributed.init_process_group("nccl", device_id=torch.device(device))
    try:
        yield Ranks(rank, size, device)
    finally:
        distributed.destroy_process_group()
