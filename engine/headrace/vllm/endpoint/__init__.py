"""/v1/stream on vLLM's own API server, as a WebSocket and as plain HTTP.

    VLLM_PLUGINS=headrace python -m vllm.entrypoints.openai.api_server --model ... \\
      --scheduler-cls headrace.vllm.scheduler.StreamScheduler --no-async-scheduling --api-key ...
"""

from headrace.vllm.endpoint.plugin import StreamEndpoint

__all__ = ["StreamEndpoint"]
