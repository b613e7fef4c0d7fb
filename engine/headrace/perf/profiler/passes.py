"""Forward passes of new tokens after context, and their time."""

from contextlib import nullcontext

import torch
from transformers import LlamaForCausalLM

from headrace.perf.profiler.clock import captured, measure
from headrace.perf.profiler.grid import GRAPH_TOKENS, Shape
from headrace.perf.profiler.llama import KVCache
from headrace.perf.profiler.ranks import Ranks


class Passes:
    """A model and a KV pool (one dimension, random values) in which passes find their context."""

    def __init__(self, llama: LlamaForCausalLM, pool: torch.Tensor, ranks: Ranks, graphs: bool):
        self.llama, self.pool, self.ranks = llama, pool, ranks
        self.stream = torch.cuda.Stream() if graphs else None

    def seconds(self, shape: Shape, repeats: int, dropped: int) -> list[float]:
        """Seconds of the repeats of one pass, the first `dropped` left out."""
        # What the passes before it left in the allocator's cache is cut to other sizes.
        torch.cuda.empty_cache()
        requests, new, context = shape
        tokens = torch.randint(self.llama.vocab_size, (requests, new), device=self.ranks.device)
        positions = torch.arange(context, context + new, device=self.ranks.device).expand(requests, -1)
        cache = KVCache(self.pool, self.llama.config, requests, new, context)

        def forward() -> torch.Tensor:
            return self.logits(tokens, positions, cache)

        replayed = self.stream is not None and requests * new <= GRAPH_TOKENS
        runs = captured(forward, self.stream) if replayed else nullcontext(forward)
        with torch.inference_mode(), runs as run:
            return measure(run, self.ranks, repeats, dropped)

    def logits(self, tokens: torch.Tensor, positions: torch.Tensor, cache: KVCache) -> torch.Tensor:
        """Logits of the last token of each request (requests, 1, vocabulary); the cache gets the new ones.

        tokens, positions: (requests, new tokens).
        """
        return self.llama(
            input_ids=tokens,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits
