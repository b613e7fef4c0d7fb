"""What a pass would do on a GPU: the kernels it asks for, and the memory it holds at a time."""

import dataclasses
from pathlib import Path

import pytest
import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn.attention import bias
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
    """In it, is_causal means that the last token sees everything; in torch's own function the first does."""
    calls = []

    def flash(*tensors, **options):
        calls.append((tensors, options))
        return (torch.zeros_like(tensors[0]),)

    monkeypatch.setattr(torch.Tensor, "is_cuda", True)
    monkeypatch.setattr(bias, "can_use_flash_attention", lambda parameters: True)
    monkeypatch.setattr(torch.ops.aten, "_scaled_dot_product_flash_attention", flash)
    query = torch.randn(1, 8, 32, 16)
    keys, values = (torch.randn(1, context + 32, 2, 16).transpose(1, 2) for _ in range(2))
    attended, _ = attend(None, query, keys, values, None, scaling=0.25)
    ((tensors, options),) = calls
    assert tensors[0] is query and tensors[1] is keys and tensors[2] is values
    assert options["is_causal"] and options["scale"] == 0.25
    assert attended.shape == (1, 32, 8, 16)


class Held(TorchDispatchMode):
    """Most bytes that were alive at a time, and the devices of what kernels were given."""

    def __init__(self):
        super().__init__()
        self.alive, self.most_bytes, self.devices = {}, 0, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        self.devices |= {value.device.type for value in args if isinstance(value, torch.Tensor)}
        if isinstance(made, torch.Tensor) and not func.is_view:
            storage = made.untyped_storage()
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
    monkeypatch.setattr(
        llama, "attend", lambda module, query, *_, **__: (torch.empty_like(query.transpose(1, 2)), None)
    )
    ranks, n = Ranks(0, gpus, "meta"), 65536
    with torch.device("meta"):
        pool = torch.empty(n * model.kv_bytes_per_token // gpus // 2, dtype=torch.bfloat16)
        tokens, positions = torch.empty((1, n), dtype=torch.int64), torch.arange(n).expand(1, -1)
    passes = Passes(make_llama(model, ranks), pool, ranks, graphs=False)
    assert {parameter.dtype for parameter in passes.llama.parameters()} == {torch.bfloat16}
    cache = KVCache(pool, passes.llama.config, 1, n, 0)
    with torch.inference_mode(), Held() as held:
        passes.logits(tokens, positions, cache)
    assert held.devices == {"meta"}
    planned = n * activation_bytes(model, gpus)
    assert planned / 2 < held.most_bytes - pool.nbytes < planned
