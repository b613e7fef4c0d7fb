"""A performance model that can be worked by hand: 0.1 s per new token, nothing for context."""

FLAT = {"tokens": [16, 1600, 131072], "fit": [0.0, 0.0, 0.0], "r2": 1.0}
MODEL = {
    "format": "headrace-perf-model/1",
    "hardware": "toy",
    "gpu": "Toy",
    "model": "toy-model",
    "dtype": "bfloat16",
    "tensor_parallel": 1,
    "provider": "fixed",
    "provenance": {"how": "by hand: 0.1 s per new token, nothing for context"},
    "step": {
        "tokens": [1, 1000],
        "dense_s": [0.1, 100.0],
        "attention_s_per_token_pair": 0.0,
        "decode_s_per_context_token": 0.0,
        "r2": 1.0,
        "max_rel_error": 0.0,
    },
    "recompute": {**FLAT, "latency_s": [[1.6], [160.0], [13107.2]]},
    "swap": {**FLAT, "in_s": [[0.016], [1.6], [131.072]], "out_s": [[0.016], [1.6], [131.072]]},
    "kv_bytes_per_token": 1,
    "block_bytes": 16,
}
