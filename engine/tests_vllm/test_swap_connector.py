"""The connector's two halves as vLLM builds and calls them, without an engine; how it refuses to start."""

import json
from types import SimpleNamespace

import pytest
import torch
from vllm.config import KVTransferConfig
from vllm.distributed.kv_transfer.kv_connector.factory import KVConnectorFactory
from vllm.distributed.kv_transfer.kv_connector.v1.base import KVConnectorRole

from headrace.errors import HeadraceError
from headrace.vllm import swap
from headrace.vllm.host_pool import HostPoolError

BLOCKS = 7


def connector(role=KVConnectorRole.SCHEDULER, groups=1, zeroed=False, **extra):
    """Made by vLLM's factory, from the options as they are typed."""
    typed = {
        "kv_connector": "SwapConnector",
        "kv_role": "kv_both",
        "kv_connector_module_path": "headrace.vllm.swap",
        "kv_connector_extra_config": extra,
    }
    config = SimpleNamespace(
        kv_transfer_config=KVTransferConfig(**json.loads(json.dumps(typed))),
        scheduler_config=SimpleNamespace(disable_hybrid_kv_cache_manager=False),
    )
    cache = SimpleNamespace(num_blocks=BLOCKS, kv_cache_groups=[None] * groups, needs_kv_cache_zeroing=zeroed)
    return KVConnectorFactory.create_connector(config, role, cache)


@pytest.fixture
def halves():
    """Scheduler side, worker side, and the worker's KV cache."""
    caches = {f"layer{i}": torch.randn(BLOCKS, 2, 4, 8) for i in range(3)}
    worker = connector(KVConnectorRole.WORKER, host_blocks=4)
    worker.register_kv_caches(caches)
    yield connector(host_blocks=4), worker, caches
    worker.shutdown()


def step(scheduler, worker):
    """What vLLM does with the two in a step."""
    worker.handle_preemptions(scheduler.build_connector_meta(None))


def test_swapped_out_and_in_over_two_steps(halves):
    scheduler, worker, caches = halves
    before = {name: cache[[5, 2]].clone() for name, cache in caches.items()}
    scheduler.swap_out("a", [5, 2])
    assert scheduler.holds("a") == 2 and scheduler.host_free == 2
    step(scheduler, worker)
    for cache in caches.values():
        cache[[5, 2]] = 0
    step(scheduler, worker)  # a step without copies
    scheduler.swap_in("a", [0, 6, 3])
    assert scheduler.holds("a") == 0 and scheduler.host_free == 4
    step(scheduler, worker)
    for name, cache in caches.items():
        assert torch.equal(cache[[0, 6]], before[name])


def test_two_requests_change_places_in_one_step(halves):
    """The pool is full: the one that comes in frees the slots, and GPU blocks, of the one that leaves."""
    scheduler, worker, caches = halves
    a = caches["layer1"][[0, 1, 2, 3]].clone()
    scheduler.swap_out("a", [0, 1, 2, 3])
    step(scheduler, worker)
    caches["layer1"][[0, 1, 2, 3]] += 1
    with pytest.raises(HostPoolError, match=r"request b swaps 4 blocks out, 0 of 4 free"):
        scheduler.swap_out("b", [0, 1, 2, 3])
    scheduler.forget("a")
    scheduler.swap_out("b", [0, 1, 2, 3])
    scheduler.swap_in("b", [2, 3, 4, 5])
    step(scheduler, worker)
    assert torch.equal(caches["layer1"][[2, 3, 4, 5]], a + 1)


def test_a_request_that_is_gone_leaves_nothing(halves):
    scheduler, _, _ = halves
    scheduler.swap_out("a", [0, 1, 2])
    scheduler.trim("a", 1)
    assert scheduler.holds("a") == 1 and scheduler.host_free == 3
    delayed, params = scheduler.request_finished_all_groups(SimpleNamespace(request_id="a"), ([],))
    assert (delayed, params) == (False, None) and scheduler.host_free == 4


def test_vllm_is_told_that_nothing_is_cached_for_it(halves):
    scheduler, _, _ = halves
    scheduler.swap_out("a", [0, 1, 2])
    assert scheduler.get_num_new_matched_tokens(SimpleNamespace(request_id="a"), 0) == (0, False)
    assert scheduler.requires_kv_delivery is False and scheduler.reset_cache() is True


@pytest.mark.parametrize(
    ("extra", "message"),
    (
        ({}, "kv_connector_extra_config: host_blocks is missing"),
        ({"host_blocks": 0}, "host_blocks: 0 is no number of blocks"),
        ({"host_blocks": -3}, "host_blocks: -3 is no number of blocks"),
        ({"host_blocks": "many"}, "host_blocks: 'many' is no number of blocks"),
        ({"host_blocks": True}, "host_blocks: True is no number of blocks"),
        ({"host_blocks": 4.5}, "host_blocks: 4.5 is no number of blocks"),
        ({"host_block": 4}, "unknown key 'host_block'; did you mean 'host_blocks'"),
    ),
)
def test_options_that_are_refused(extra, message):
    with pytest.raises(HeadraceError, match=message):
        connector(**extra)


@pytest.mark.parametrize("model", ({"groups": 2}, {"zeroed": True}))
def test_models_that_are_refused(model):
    with pytest.raises(HeadraceError, match="groups of KV caches, or a recurrent state"):
        connector(host_blocks=4, **model)


def test_a_pool_larger_than_the_host_is_refused_with_what_would_fit(monkeypatch):
    """A block of one layer is 2 * 4 * 8 * 4 bytes; nothing is allocated."""
    monkeypatch.setattr(swap, "available_bytes", lambda: 2000)
    worker = connector(KVConnectorRole.WORKER, host_blocks=8)
    with pytest.raises(
        HeadraceError, match=r"host_blocks: 8 blocks of 256 bytes do not fit 2000 bytes.*at most 7"
    ):
        worker.register_kv_caches({"layer0": torch.zeros(BLOCKS, 2, 4, 8)})
    connector(KVConnectorRole.WORKER, host_blocks=7).register_kv_caches(
        {"layer0": torch.zeros(BLOCKS, 2, 4, 8)}
    )
