"""What a pass would do on a GPU: the kernels it asks for, and the memory it holds at a time."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from headrace.perf import load_models
from headrace.perf.profiler import llama
from headrace.perf.profiler.grid import activation_bytes
from headrace.perf.profiler.llama import KVCache, attend, make_llama
from headrace.perf.profiler.passes import Passes
from headrace.perf.profiler.ranks import Ranks

MODELS = Path(__file__).parents[2] / "config/models.yaml"


@pytest.mark.parametrize("context", [64, 4096])
def test_context_is_read_by_the_flash_kernel_unmasked_and_unexpanded(context, monkeypatch):
    calls = []

    def flash(*tensors, **options):
        calls.append((tensors, options))
        return torch.zeros_like(tensors[0]), "log of sums"

    monkeypatch.setattr(torch.ops.aten, "_scaled_dot_product_flash_attention", flash)
    with torch.device("meta"):
        query = torch.randn(1, 8, 32, 16)
        keys, values = (torch.randn(1, context + 32, 2, 16).transpose(1, 2) for _ in range(2))
    attended, _ = attend(None, query, keys, values, None, scaling=0.25)
    ((tensors, options),) = calls
    assert tensors[0] is query and tensors[1] is keys and tensors[2] is values
    assert options == {"is_causal": True, "scale": 0.25}
    assert attended.shape == (1, 32, 8, 16)


class Held(TorchDispatchMode):
    """Most bytes that were alive at a time beside those `resident`, and the devices of what kernels got."""

    def __init__(self, resident):
        super().__init__()
        self.resident, self.alive, self.most_bytes, self.devices = resident, {}, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        self.devices |= {value.device.type for value in args if isinstance(value, torch.Tensor)}
        for value in made if isinstance(made, tuple) else (made,):
            if isinstance(value, torch.Tensor) and value.untyped_storage()._cdata not in self.resident:
                storage = value.untyped_storage()
                self.alive[storage._cdata] = StorageWeakRef(storage), storage.nbytes()
        self.alive = {key: kept for key, kept in self.alive.items() if not kept[0].expired()}
        self.most_bytes = max(self.most_bytes, sum(size for _, size in self.alive.values()))
        return made


@pytest.mark.parametrize("gpus", [1, 2, 8])
def test_a_pass_holds_no_more_than_planned_and_never_waits_for_the_host(gpus, monkeypatch):
    """On a device without memory, on which a tensor's values can't be looked at."""
    model = dataclasses.replace(load_models(MODELS)["llama-3.1-8b"], layers=2)
    monkeypatch.setattr(llama, "_fill", lambda *_: None)
    monkeypatch.setattr(llama, "_sum_over_ranks", lambda module, inputs, output: output)
    monkeypatch.setattr(llama, "_gather_over_ranks", lambda module, inputs, output: output)
    ranks, n, context = Ranks(0, gpus, "meta"), 32768, 32768
    with torch.device("meta"):
        elements = (context + n) * model.kv_bytes_per_token // gpus // model.dtype_bytes
        pool = torch.empty(elements, dtype=torch.bfloat16)
        tokens = torch.empty((1, n), dtype=torch.int64)
        positions = torch.arange(context, context + n).expand(1, -1)
    passes = Passes(make_llama(model, ranks), pool, ranks, graphs=False)
    assert {parameter.dtype for parameter in passes.llama.parameters()} == {torch.bfloat16}
    cache = KVCache(pool, passes.llama.config, 1, n, context)
    resident = [pool, *passes.llama.parameters()]
    with torch.inference_mode(), Held({tensor.untyped_storage()._cdata for tensor in resident}) as held:
        passes.logits(tokens, positions, cache)
    assert held.devices == {"meta"}
    planned = n * activation_bytes(model, gpus)
    assert planned / 2 < held.most_bytes < planned
