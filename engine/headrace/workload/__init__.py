"""Workloads: what is sent when.

A workload is a chunk table, drawn by a generator (`generate`) or read from traces (`read_traces`),
and the arrivals of its queries (`write_arrivals`).
"""

from headrace.workload.arrivals import read_arrivals, write_arrivals
from headrace.workload.generate import generate
from headrace.workload.quantities import statistics
from headrace.workload.source import fetch, source_kind
from headrace.workload.stretch import stretch
from headrace.workload.table import read_table, write_table
from headrace.workload.token_ids import prompts, token_ids, write_token_ids
from headrace.workload.traces import read_traces

__all__ = [
    "fetch",
    "generate",
    "prompts",
    "read_arrivals",
    "read_table",
    "read_traces",
    "source_kind",
    "statistics",
    "stretch",
    "token_ids",
    "write_arrivals",
    "write_table",
    "write_token_ids",
]
