"""From requests tables to metrics: percentiles, preemptions, concurrency, throughput, per cell and world."""

from headrace.metrics.cell import cell_metrics
from headrace.metrics.collect import collect, read_metrics
from headrace.metrics.latency import summary

__all__ = ["cell_metrics", "collect", "read_metrics", "summary"]
