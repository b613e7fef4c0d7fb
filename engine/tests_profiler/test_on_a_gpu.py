"""The same on a GPU: its attention kernel, CUDA graphs and pinned memory. Skipped where there is none."""

import dataclasses
import json

import pytest
import torch
from logits_of_ranks import logits_in_two_passes

from headrace.perf import PerfModel
from headrace.perf.profiler import run
from headrace.perf.profiler.clock import captured
from headrace.perf.profiler.llama import KVCache, make_llama
from headrace.perf.profiler.passes import Passes
from headrace.perf.profiler.ranks import Ranks
from headrace.perf.profiler.swaps import Swaps

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU"),
    pytest.mark.filterwarnings("ignore:.*R2 .* is below 0.9"),
]
GPU, CPU = Ranks(0, 1, "cuda:0"), Ranks(0, 1, "cpu")


@pytest.fixture
def small(tiny):
    """The tiny model in the dtype that flash attention takes."""
    return dataclasses.replace(tiny, dtype="bfloat16")


def test_flash_attention_after_context_is_causal(small, tiny, monkeypatch):
    """Weights are the CPU's: generators of the two devices draw other numbers."""
    weights = make_llama(tiny, CPU, seed=3).state_dict()

    def same_weights(model, ranks, seed):
        llama = make_llama(model, ranks, seed)
        llama.load_state_dict(weights)
        return llama

    monkeypatch.setattr("logits_of_ranks.make_llama", same_weights)
    expected = logits_in_two_passes(tiny, CPU)
    found = logits_in_two_passes(small, GPU).float().cpu()
    assert torch.nn.functional.cosine_similarity(found, expected, dim=-1).min() > 0.995


@pytest.fixture(params=[(1, 32, 0), (1, 32, 64), (4, 1, 96)], ids=str)
def ready(small, request):
    """Passes, and what one of them takes: tokens, positions, cache."""
    requests, new, context = request.param
    elements = requests * (new + context) * 2 * small.layers * small.kv_heads * small.head_dim
    pool = torch.randn(elements, device="cuda").bfloat16()
    passes = Passes(make_llama(small, GPU), pool, GPU, graphs=True)
    tokens = torch.randint(small.vocab_size, (requests, new), device="cuda")
    positions = torch.arange(context, context + new, device="cuda").expand(requests, -1)
    return passes, (tokens, positions, KVCache(pool, passes.llama.config, requests, new, context))


@pytest.fixture
def no_waiting():
    """Switches on that whatever makes the host wait for the GPU is an error."""
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


def test_a_replayed_graph_computes_what_the_pass_does(ready):
    passes, given = ready
    cache, pool = given[-1], passes.pool
    with torch.inference_mode():
        passes.logits(*given)
        expected = pool.clone()
        with captured(lambda: passes.logits(*given), passes.stream) as replay:
            cache.layers[:, :, :, cache.context :] = 0
            assert not torch.equal(pool, expected)
            replay()
            torch.cuda.synchronize()
    torch.testing.assert_close(pool, expected)


def test_the_host_never_waits_in_a_pass(ready, no_waiting):
    passes, given = ready
    with torch.inference_mode():
        no_waiting()
        passes.logits(*given)


def test_the_host_never_waits_in_a_swap(no_waiting):
    swaps = Swaps(torch.randn(3 * 2 * 40 * 16 * 8, device="cuda"), 3, 8, largest_tokens=320)
    no_waiting()
    for move in (swaps.out_batched, swaps.in_batched, swaps.out_per_block, swaps.in_per_block):
        move(15)


@pytest.mark.parametrize("per_block", [False, True])
def test_blocks_go_through_pinned_memory_and_back(per_block):
    pool = torch.randn(3 * 2 * 40 * 16 * 8, device="cuda")
    swaps = Swaps(pool, layers=3, elements_per_token=8, largest_tokens=320)
    assert swaps.host.is_pinned()
    before = swaps.pool.clone()
    (swaps.out_per_block if per_block else swaps.out_batched)(15)
    torch.cuda.synchronize()
    assert torch.equal(swaps.host_blocks(15, per_block), before[:, :, swaps.chosen[:15]].cpu())
    swaps.pool[:, :, swaps.chosen[:15]] = 0
    (swaps.in_per_block if per_block else swaps.in_batched)(15)
    assert torch.equal(swaps.pool, before)


@pytest.mark.parametrize("eager", [False, True])
def test_a_whole_profile(files, tmp_path, eager):
    hardware, models = tmp_path / "hardware.yaml", tmp_path / "models.yaml"
    hardware.write_text(files[0].read_text().replace("NVIDIA A40", torch.cuda.get_device_name(0)))
    models.write_text(json.dumps(json.loads(files[1].read_text().replace("float32", "bfloat16"))))
    run("tiny-tp1", hardware, models, tmp_path / "tiny.json", eager=eager)
    said = PerfModel.load(tmp_path / "tiny.json").provenance
    assert said["device"] == "cuda" and said["devices"] == [torch.cuda.get_device_name(0)]
    assert said["attention"].endswith("flash kernel")
    assert said["cuda_graph_up_to_tokens"] == (0 if eager else 8192)
    assert {"driver_version", "cuda", "torch"} <= said["software"].keys()
