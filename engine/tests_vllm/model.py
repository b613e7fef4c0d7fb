"""A tiny Llama whose greedy output notices a corrupted KV cache: random weights, about 1 MB.

Weights as small as those of vLLM's `load_format: dummy` make attention an average over the prompt and the
output a function of its last token, so that corrupted KV passes unseen. With queries and keys as large as
here attention picks a few tokens, any of the prompt, and what it picks decides the output.
"""

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

VOCABULARY = 1024
LAYERS, HIDDEN, INTERMEDIATE, HEADS, KV_HEADS, HEAD_DIM = 4, 128, 128, 4, 2, 32
# Standard deviations: scores of attention about 10, its output larger than what it is added to.
STD = {
    "embed_tokens": 1.0,
    "q_proj": 0.3,
    "k_proj": 0.3,
    "v_proj": 0.8,
    "o_proj": 0.8,
    "gate_proj": 0.1,
    "up_proj": 0.1,
    "down_proj": 0.1,
    "lm_head": 0.3,
}


def config() -> dict:
    """What stands in config.json."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "num_hidden_layers": LAYERS,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "head_dim": HEAD_DIM,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "max_position_embeddings": 8192,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": "float16",
    }


def shapes() -> dict[str, tuple[int, ...]]:
    """Every weight's name and shape, [out, in]."""
    whole = {
        "model.embed_tokens": (VOCABULARY, HIDDEN),
        "lm_head": (VOCABULARY, HIDDEN),
        "model.norm": (HIDDEN,),
    }
    of_a_layer = {
        "self_attn.q_proj": (HEADS * HEAD_DIM, HIDDEN),
        "self_attn.k_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
        "self_attn.v_proj": (KV_HEADS * HEAD_DIM, HIDDEN),
        "self_attn.o_proj": (HIDDEN, HEADS * HEAD_DIM),
        "mlp.gate_proj": (INTERMEDIATE, HIDDEN),
        "mlp.up_proj": (INTERMEDIATE, HIDDEN),
        "mlp.down_proj": (HIDDEN, INTERMEDIATE),
        "input_layernorm": (HIDDEN,),
        "post_attention_layernorm": (HIDDEN,),
    }
    for layer in range(LAYERS):
        whole |= {f"model.layers.{layer}.{name}": shape for name, shape in of_a_layer.items()}
    return whole


def write_model(folder: Path, seed: int = 0) -> Path:
    """config.json and model.safetensors (half precision) in `folder`, which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config()), encoding="utf-8")
    draw, weights = torch.Generator().manual_seed(seed), {}
    for name, shape in shapes().items():
        std = STD.get(name.rpartition(".")[2])
        drawn = torch.ones(shape) if std is None else torch.randn(shape, generator=draw) * std
        weights[f"{name}.weight"] = drawn.half()
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
