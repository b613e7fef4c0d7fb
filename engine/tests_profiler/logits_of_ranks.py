"""The tiny model's logits for a prompt in two passes, the second one after the context of the first."""

import torch

from headrace.perf.profiler.llama import KVCache, make_llama
from headrace.perf.profiler.passes import Passes

PROMPT = [[index * 7 % 80 for index in range(48)], [index * 11 % 80 for index in range(48)]]
KNOWN = 32


def logits_in_two_passes(model, ranks):
    """Logits of the last token of two requests: KNOWN tokens first, the others after them."""
    llama = make_llama(model, ranks, seed=3)
    elements = 2 * 48 * 2 * model.layers * model.kv_heads // ranks.size * model.head_dim
    pool = torch.zeros(elements, dtype=getattr(torch, model.dtype), device=ranks.device)
    passes = Passes(llama, pool, ranks, graphs=False)
    tokens = torch.tensor(PROMPT, device=ranks.device)
    positions = torch.arange(48, device=ranks.device).expand(2, -1)
    whole = KVCache(pool, llama.config, 2, 48 - KNOWN, KNOWN)
    with torch.inference_mode():
        # The first pass writes where the second one finds its context: the same pool, cut alike.
        first = KVCache(pool, llama.config, 2, 48, 0)
        first.layers = first.layers[:, :, :, :KNOWN]
        passes.logits(tokens[:, :KNOWN], positions[:, :KNOWN], first)
        return passes.logits(tokens[:, KNOWN:], positions[:, KNOWN:], whole)
