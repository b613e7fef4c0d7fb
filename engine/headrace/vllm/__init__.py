"""Streaming prompts on stock vLLM: a scheduler plugin, swaps, a client, an endpoint. Only here is vllm imported."""
