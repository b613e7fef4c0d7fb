"""What streams do, as Prometheus metrics of vLLM's own registry: shown at /metrics of the API server.

vLLM loads this as a plugin (entry point group vllm.stat_logger_plugins) in the process of the front-end.
What the scheduler counted in the engine's process comes along with vLLM's own statistics of each step, which
vLLM takes wherever such a plugin is installed, --disable-log-stats or not.
"""

from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from vllm.v1.metrics.loggers import AggregateStatLoggerBase

from headrace.vllm.counts import ttfts
from headrace.vllm.private import carried_counts

LABELS = ("model_name", "engine")  # as vLLM's
COUNTERS = {
    "streams_opened": ("streams_opened", {}, "Streaming prompts opened."),
    "streams_closed": ("streams_closed", {}, "Streaming prompts closed by a final chunk."),
    "streams_failed": ("streams_failed", {}, "Streaming prompts ended by an error of their own."),
    "streams_timed_out": ("streams_timed_out", {}, "Streaming prompts ended for want of chunks."),
    "streams_aborted": ("streams_aborted", {}, "Streaming prompts whose client left."),
    "chunks_append": ("chunks", {"mode": "append"}, "Chunks of streaming prompts taken."),
    "chunks_update": ("chunks", {"mode": "update"}, "Chunks of streaming prompts taken."),
    "invalidated_tokens": ("invalidated_tokens", {}, "Computed tokens that an update made void."),
    "preemptions_recompute": ("preemptions", {"kind": "recompute"}, "Preemptions, streaming or not."),
    "preemptions_swap": ("preemptions", {"kind": "swap"}, "Preemptions, streaming or not."),
    "recomputed_tokens": ("recomputed_tokens", {}, "Computed tokens that a preemption dropped."),
    "blocks_swapped_out": ("swapped_blocks", {"direction": "out"}, "KV blocks copied from or to the GPU."),
    "blocks_swapped_in": ("swapped_blocks", {"direction": "in"}, "KV blocks copied from or to the GPU."),
}
"""Fields of `Counts`: the metric that shows each, its further labels, what it says there."""
OPEN = ("headrace:num_streams_open", "Streaming prompts that wait for chunks.")
TTFT = (
    "headrace:time_to_first_token_after_last_chunk_seconds",
    "Time from the last chunk of a streaming prompt to its first token, in the engine.",
)
TTFT_BUCKETS_S = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75),
    *(1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0),
)

_registered: list[Counter | Gauge | Histogram] = []


class StreamMetrics(AggregateStatLoggerBase):
    """The metrics of all engines behind one front-end; none for engines with another scheduler.

    Those of an earlier front-end in the same process are taken out of the registry, as vLLM does with its.
    """

    def __init__(self, vllm_config, engine_indexes: list[int]):
        while _registered:
            REGISTRY.unregister(_registered.pop())
        self.counters, self.open, self.ttft = {}, {}, {}
        if not plans_streams(vllm_config):
            return
        name = vllm_config.model_config.served_model_name
        metrics = {}
        for metric, further, text in COUNTERS.values():
            if metric not in metrics:
                metrics[metric] = Counter(f"headrace:{metric}", text, (*LABELS, *further))
        # Of several front-ends, each is told of some steps: the one told last knows.
        level = Gauge(*OPEN, LABELS, multiprocess_mode="mostrecent")
        ttft = Histogram(*TTFT, LABELS, buckets=TTFT_BUCKETS_S)
        _registered.extend((*metrics.values(), level, ttft))
        for engine in engine_indexes:
            labels = name, str(engine)
            self.open[engine], self.ttft[engine] = level.labels(*labels), ttft.labels(*labels)
            for field, (metric, further, _) in COUNTERS.items():
                self.counters[engine, field] = metrics[metric].labels(*labels, *further.values())

    def record(self, scheduler_stats, iteration_stats, mm_cache_stats=None, engine_idx: int = 0) -> None:
        if scheduler_stats is None or engine_idx not in self.open:
            return
        counts = carried_counts(scheduler_stats)
        if not counts:
            return
        self.open[engine_idx].set(counts["open_streams"])
        for field in COUNTERS.keys() & counts.keys():
            self.counters[engine_idx, field].inc(counts[field])
        for seconds in ttfts(counts):
            self.ttft[engine_idx].observe(seconds)

    def log_engine_initialized(self) -> None:
        pass


def plans_streams(vllm_config) -> bool:
    """Whether its scheduler is one of this plugin's."""
    if vllm_config.scheduler_config.scheduler_cls is None:
        return False
    from headrace.vllm.scheduler import StreamMixin

    return issubclass(vllm_config.scheduler_config.get_scheduler_cls(), StreamMixin)
