"""Swap of preempted requests' KV blocks to host memory, as a KV connector of vLLM.

    --kv-transfer-config '{"kv_connector": "SwapConnector", "kv_role": "kv_both",
      "kv_connector_module_path": "headrace.vllm.swap", "kv_connector_extra_config": {"host_blocks": 4096}}'

The scheduler decides who is swapped and when; it calls the connector's scheduler side, which keeps the
account of host slots and hands the copies of a step to the workers. These do them before anything else
touches the KV cache. vLLM itself never asks the connector for tokens: `get_num_new_matched_tokens` is 0.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from vllm.distributed.kv_transfer import get_kv_transfer_group
from vllm.distributed.kv_transfer.kv_connector.v1.base import (
    KVConnectorBase_V1,
    KVConnectorMetadata,
    KVConnectorRole,
    SupportsHMA,
)

from headrace.errors import HeadraceError, nearest
from headrace.perf.profiler.devices import available_bytes
from headrace.vllm.block_copies import BlockCopies, block_copies, pages
from headrace.vllm.host_pool import Copy, Direction, HostPool

PLACE = "--kv-transfer-config: kv_connector_extra_config"
KEYS = ("host_blocks",)


@dataclass
class SwapMetadata(KVConnectorMetadata):
    """The copies of one step, in the order in which every worker does them."""

    copies: list[Copy] = field(default_factory=list)


class SwapConnector(KVConnectorBase_V1, SupportsHMA):
    """Two halves that share a class, as vLLM wants it: `role` says which one an instance is.

    Raises HeadraceError for a missing or impossible `host_blocks`, for KV caches that are not one group of
    blocks, and, on the worker, for a pool that the host's memory cannot hold.
    """

    def __init__(self, vllm_config, role: KVConnectorRole, kv_cache_config):
        super().__init__(vllm_config, role, kv_cache_config)
        self.host_blocks = read_host_blocks(vllm_config.kv_transfer_config.kv_connector_extra_config)
        refuse_unknown_caches(kv_cache_config)
        self._pool = HostPool(self.host_blocks)
        self._num_blocks = kv_cache_config.num_blocks
        self._copies: BlockCopies | None = None

    @property
    def requires_kv_delivery(self) -> bool:
        """False: nobody waits for this KV cache, so a preempted request is not one that lost its hand-off."""
        return False

    # The scheduler's side. Block ids are those of the GPU, in the order of the request's tokens.

    def swap_out(self, request_id: str, block_ids: Sequence[int]) -> None:
        """Keep a victim's blocks, all that hold computed tokens; the last may be partly filled."""
        self._pool.swap_out(request_id, block_ids)

    def swap_in(self, request_id: str, block_ids: Sequence[int]) -> None:
        """Fill the first of these blocks with what is held of the request, and hold nothing any more."""
        self._pool.swap_in(request_id, block_ids)

    def trim(self, request_id: str, blocks: int) -> None:
        """An update made the rest void: keep only the first `blocks`."""
        self._pool.trim(request_id, blocks)

    def forget(self, request_id: str) -> None:
        """The request is gone; one that was never swapped is no mistake."""
        self._pool.forget(request_id)

    def holds(self, request_id: str) -> int:
        """Blocks of the request in host memory."""
        return self._pool.holds(request_id)

    @property
    def host_free(self) -> int:
        """Host blocks that hold nothing."""
        return self._pool.free

    def get_num_new_matched_tokens(self, request, num_computed_tokens):
        return 0, False

    def update_state_after_alloc(self, request, blocks, num_external_tokens):
        pass

    def build_connector_meta(self, scheduler_output) -> SwapMetadata:
        return SwapMetadata(self._pool.take_copies())

    def request_finished(self, request, block_ids):
        self.forget(request.request_id)
        return False, None

    def request_finished_all_groups(self, request, block_ids):
        return self.request_finished(request, block_ids)

    def reset_cache(self) -> bool:
        """True: nothing is kept beyond the requests that live."""
        return True

    # The worker's side.

    def register_kv_caches(self, kv_caches) -> None:
        """Allocate the host pool for this rank's share of the KV cache, once."""
        layers = pages(kv_caches, self._num_blocks)
        block_bytes = sum(layer[0].nbytes for layer in layers)
        free = available_bytes()
        most = free // block_bytes
        if self.host_blocks > most:
            raise HeadraceError(
                f"{PLACE}.host_blocks",
                f"{self.host_blocks} blocks of {block_bytes} bytes do not fit {free} bytes of free memory",
                f"at most {most} would",
            )
        self._copies = block_copies(layers, self.host_blocks)

    def handle_preemptions(self, kv_connector_metadata: SwapMetadata) -> None:
        """The copies of this step: vLLM calls this in each, first of all, also when no token is computed."""
        for copy in kv_connector_metadata.copies:
            self._copies.copy(copy)

    def time_copies(self, blocks: int, repeats: int) -> dict[Direction, list[float]]:
        """Seconds of moving so many scattered blocks out and in, on an engine that serves nothing now."""
        gpu = torch.randperm(self._num_blocks)[:blocks].tolist()
        host = torch.randperm(self.host_blocks)[:blocks].tolist()
        seconds = {"out": [], "in": []}
        for _ in range(repeats):
            for direction, of_repeats in seconds.items():
                self._copies.finish()
                started = time.perf_counter()
                self._copies.copy(Copy(direction, gpu, host))
                self._copies.finish()
                of_repeats.append(time.perf_counter() - started)
        return seconds

    def start_load_kv(self, forward_context, **kwargs) -> None:
        pass

    def wait_for_layer_load(self, layer_name) -> None:
        pass

    def save_kv_layer(self, layer_name, kv_layer, attn_metadata, **kwargs) -> None:
        pass

    def wait_for_save(self) -> None:
        pass

    def shutdown(self) -> None:
        if self._copies is not None:
            self._copies.close()
            self._copies = None


def time_copies(worker, blocks: int, repeats: int) -> dict[Direction, list[float]]:
    """On a worker of vLLM: `SwapConnector.time_copies` of its connector."""
    return get_kv_transfer_group().time_copies(blocks, repeats)


def read_host_blocks(extra_config: dict) -> int:
    """`host_blocks` of the connector's own options. Raises HeadraceError."""
    for key in extra_config:
        if key not in KEYS:
            raise HeadraceError(PLACE, f"unknown key {key!r}", nearest(key, KEYS))
    if "host_blocks" not in extra_config:
        raise HeadraceError(PLACE, "host_blocks is missing", "a number of KV blocks, 4096 for example")
    blocks = extra_config["host_blocks"]
    if isinstance(blocks, bool) or not isinstance(blocks, int) or blocks < 1:
        raise HeadraceError(
            f"{PLACE}.host_blocks", f"{blocks!r} is no number of blocks", "a whole number from 1 on"
        )
    return blocks


def refuse_unknown_caches(kv_cache_config) -> None:
    """Several groups of layers, or blocks that vLLM zeroes when it hands them out, are not swapped."""
    groups = len(kv_cache_config.kv_cache_groups)
    if groups != 1 or kv_cache_config.needs_kv_cache_zeroing:
        raise HeadraceError(
            "SwapConnector",
            f"this model has {groups} groups of KV caches, or a recurrent state",
            "a model whose layers all have full attention, or no --kv-transfer-config",
        )
