"""A scheduler of vLLM without a worker: no weights, no KV memory, only its decisions."""

import copy
import json
import tempfile
from functools import cache
from pathlib import Path

import torch
from vllm.config import CacheConfig, DeviceConfig, KVTransferConfig, ModelConfig, SchedulerConfig, VllmConfig
from vllm.v1.core.sched.interface import SchedulerInterface
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheConfig, KVCacheGroupSpec
from vllm.v1.structured_output import StructuredOutputManager

from headrace.scheduling import Limits

VOCABULARY = 256  # token ids say where prompts differ, nothing else
LONGEST = 2**30  # tokens of a request: the KV pool is the limit, not the model
MODEL = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 1,
    "num_key_value_heads": 1,
    "num_hidden_layers": 1,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": LONGEST,
}


def workerless(
    cls: type[SchedulerInterface],
    limits: Limits,
    additional_config: dict | None = None,
    *,
    prefix_caching: bool = False,
    async_scheduling: bool = False,
    watermark: float = 0.0,
    max_model_len: int = LONGEST,
) -> SchedulerInterface:
    """A new scheduler of class `cls` (vLLM's own, or one for --scheduler-cls) with the pool of `limits`.

    One group of full attention; vLLM's null block comes on top of limits.blocks. With limits.host_blocks
    it has headrace's SwapConnector. The first call of a process takes seconds, others under a millisecond.
    """
    config = _configuration(
        limits, additional_config or {}, prefix_caching, async_scheduling, watermark, max_model_len
    )
    attention = FullAttentionSpec(limits.block_size, num_kv_heads=1, head_size=1, dtype=torch.float32)
    kv_cache = KVCacheConfig(
        num_blocks=config.cache_config.num_gpu_blocks,
        kv_cache_tensors=[],
        kv_cache_groups=[KVCacheGroupSpec(["attention"], attention)],
    )
    return cls(config, kv_cache, StructuredOutputManager(config), block_size=limits.block_size)


def _configuration(
    limits: Limits,
    additional_config: dict,
    prefix_caching: bool,
    async_scheduling: bool,
    watermark: float,
    max_model_len: int,
) -> VllmConfig:
    """A copy of the general configuration with these values.

    They are set after vLLM has checked it: a CPU's block sizes and budgets do not bind a virtual engine.
    """
    config = copy.copy(_general())
    config.additional_config = additional_config
    config.model_config = model = copy.copy(config.model_config)
    model.max_model_len = max_model_len
    config.scheduler_config = scheduler = copy.copy(config.scheduler_config)
    scheduler.max_num_seqs = limits.slots
    scheduler.max_num_batched_tokens = limits.token_budget
    scheduler.async_scheduling = async_scheduling
    scheduler.watermark = watermark
    config.cache_config = kv = copy.copy(config.cache_config)
    kv.block_size = limits.block_size
    kv.num_gpu_blocks = limits.blocks + 1
    kv.enable_prefix_caching = prefix_caching
    if limits.host_blocks:
        config.kv_transfer_config = KVTransferConfig(
            kv_connector="SwapConnector",
            kv_role="kv_both",
            kv_connector_module_path="headrace.vllm.swap",
            kv_connector_extra_config={"host_blocks": limits.host_blocks},
        )
    return config


@cache
def _general() -> VllmConfig:
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        Path(folder, "config.json").write_text(json.dumps(MODEL))
        model = ModelConfig(model=folder, skip_tokenizer_init=True, dtype="float32", max_model_len=LONGEST)
        return VllmConfig(
            model_config=model,
            cache_config=CacheConfig(block_size=32),
            scheduler_config=SchedulerConfig(
                max_num_seqs=128,
                max_num_batched_tokens=2048,
                max_model_len=LONGEST,
                is_encoder_decoder=False,
                enable_chunked_prefill=True,
                async_scheduling=False,
            ),
            device_config=DeviceConfig("cpu"),
        )
