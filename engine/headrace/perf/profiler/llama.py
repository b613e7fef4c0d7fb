"""transformers' own LlamaForCausalLM with random weights, divided over the ranks, and its KV cache.

Column-wise: q, k, v, gate, up and the output projection; row-wise: o and down, whose outputs are summed over
the ranks. The input embedding is not divided. Divided this way every rank runs the unchanged model class
on smaller matrices, so that a pass can be captured in a CUDA graph, as serving engines do.
"""

import torch
import torch.distributed as distributed
from torch import nn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, LlamaConfig, LlamaForCausalLM

from headrace.perf.architecture import Model
from headrace.perf.profiler.ranks import Ranks

ATTENTION = "headrace_sdpa"
COLUMN_WISE = ("q_proj", "k_proj", "v_proj", "gate_proj", "up_proj", "lm_head")
ROW_WISE = ("o_proj", "down_proj")
WEIGHT_STD = 0.02


class KVCache:
    """Keys and values in a part of a pool: a pass writes its tokens in place and reads all of them.

    transformers' own caches concatenate, which copies the whole context in every layer; no serving
    engine does that.
    """

    def __init__(self, pool: torch.Tensor, config: LlamaConfig, requests: int, new: int, context: int):
        shape = (
            config.num_hidden_layers,
            2,
            requests,
            context + new,
            config.num_key_value_heads,
            config.head_dim,
        )
        elements = torch.Size(shape).numel()
        self.layers = pool[:elements].view(shape)
        self.context = context

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Store the new tokens' keys and values (requests, heads, tokens, head size); give back all."""
        stored = self.layers[layer]
        stored[0, :, self.context :] = keys.transpose(1, 2)
        stored[1, :, self.context :] = values.transpose(1, 2)
        return stored[0].transpose(1, 2), stored[1].transpose(1, 2)

    def get_seq_length(self, *_: object) -> int:
        """Tokens of context."""
        return self.context


def make_llama(model: Model, ranks: Ranks, seed: int = 0) -> LlamaForCausalLM:
    """This rank's share of the model. The weights of all ranks together depend on `seed` only."""
    AttentionInterface.register(ATTENTION, attend)
    config = LlamaConfig(
        attn_implementation=ATTENTION,
        vocab_size=model.vocab_size,
        hidden_size=model.hidden_size,
        intermediate_size=model.intermediate_size // ranks.size,
        num_hidden_layers=model.layers,
        num_attention_heads=model.attention_heads // ranks.size,
        num_key_value_heads=model.kv_heads // ranks.size,
        head_dim=model.head_dim,
        max_position_embeddings=model.max_context_tokens,
        tie_word_embeddings=False,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(getattr(torch, model.dtype))
    try:
        with torch.device(ranks.device):
            llama = LlamaForCausalLM(config)
            if ranks.size > 1:
                llama.lm_head = nn.Linear(model.hidden_size, model.vocab_size // ranks.size, bias=False)
    finally:
        torch.set_default_dtype(before)
    _fill(llama, ranks, seed)
    if ranks.size > 1:
        for name, module in llama.named_modules():
            if name.endswith(ROW_WISE):
                module.register_forward_hook(_sum_over_ranks)
        llama.lm_head.register_forward_hook(_gather_over_ranks)
    return llama.eval()


def attend(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    scaling: float | None = None,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Causal attention of the last tokens over all; on a GPU by the flash kernel, or not at all.

    Shapes (requests, heads, tokens, head size). transformers' own way makes a mask of new x all tokens as
    soon as there is context, which that kernel does not take; torch's would quietly choose another kernel.
    """
    if query.device.type != "cpu":
        # Here is_causal is of the last token, which sees everything; in torch's own function, of the first.
        attended, *_ = torch.ops.aten._scaled_dot_product_flash_attention(
            query, key, value, is_causal=True, scale=scaling
        )
    else:
        new, all_tokens = query.shape[2], key.shape[2]
        seen = torch.ones(new, all_tokens, dtype=torch.bool).tril(all_tokens - new)
        attended = scaled_dot_product_attention(
            query, key, value, attn_mask=seen, scale=scaling, enable_gqa=True
        )
    return attended.transpose(1, 2).contiguous(), None


def _fill(llama: LlamaForCausalLM, ranks: Ranks, seed: int) -> None:
    """Normal weights, drawn whole and then cut, one parameter after the other; norms are 1."""
    with torch.no_grad():
        for index, (name, parameter) in enumerate(llama.named_parameters()):
            if parameter.ndim == 1:
                parameter.fill_(1)
                continue
            module = name.removesuffix(".weight")
            cut = 0 if module.endswith(COLUMN_WISE) else 1 if module.endswith(ROW_WISE) else None
            shape = list(parameter.shape)
            if cut is not None:
                shape[cut] *= ranks.size
            generator = torch.Generator(ranks.device).manual_seed(seed + index)
            whole = torch.empty(shape, dtype=parameter.dtype, device=ranks.device)
            whole.normal_(0, WEIGHT_STD, generator=generator)
            if cut is not None:
                whole = whole.chunk(ranks.size, cut)[ranks.rank]
            parameter.copy_(whole)


def _sum_over_ranks(_module: nn.Module, _inputs: tuple, output: torch.Tensor) -> torch.Tensor:
    distributed.all_reduce(output)
    return output


def _gather_over_ranks(_module: nn.Module, _inputs: tuple, output: torch.Tensor) -> torch.Tensor:
    parts = [torch.empty_like(output) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, output.contiguous())
    return torch.cat(parts, -1)
