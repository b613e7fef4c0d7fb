"""Streaming prompts on stock vLLM: scheduler, swaps, client, endpoint. Only here is vllm imported."""
