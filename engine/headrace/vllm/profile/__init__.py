"""Step and swap times of a running vLLM, as a performance model: the provider vllm."""
