"""Writes a cell's requests table as the study's replay client would have logged it."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import yaml

from headrace.metrics.concurrency import COUNTED_FROM, concurrent_at_preemption

EPOCH_S = 1_760_000_000.0
COLUMNS = (
    *("event_timestamp", "event_type", "query_id", "request_id", "stream", "concurrency", "duration_secs"),
    *("details", "request_size", "concurrent_requests", "replay_rate", "prev_event_type"),
)
ANNS_COLUMNS = ("num_documents", "pipeline_pool_change")
CONFIGURATIONS = {
    ("crawler", 1): "enhanced_schedulers_v1_full",
    ("anns", 1): "enhanced_schedulers_v1_500q",
    ("crawler", 10): "enhanced_schedulers_v1_full_delay_10",
    ("anns", 30): "enhanced_schedulers_v1_500q_delay_30",
}
SUFFIXES = {"cost_published": "", "recompute": "_recomp_only", "swap": "_swap_only"}
ENGINE = (("queued", 0.01), ("scheduled", 0.02), ("kv_on_gpu", 0.5))


def run_folder(axes: dict, date: str | None = None, policy: str | None = None) -> str:
    """Where the run of a cell lies below run_log."""
    name = CONFIGURATIONS[axes["workload"], axes["delay"]] + SUFFIXES[axes["eviction"]]
    gpu = axes["hardware"].split("-")[0].upper()
    date = date or f"2025-10-{4 * axes['qps']:02.0f}_{'streaming' if axes['stream'] else 'whole'}"
    return f"{axes['workload']}/{gpu}_{name}/{policy or axes['policy']}/{date}"


def write_run(
    folder: Path, requests: pl.DataFrame, axes: dict, stamp: Callable[[float], object] = repr
) -> Path:
    """Write world 0 of `requests` into `folder`; `stamp` turns epoch seconds into an event_timestamp."""
    folder.mkdir(parents=True)
    anns, stream = axes["workload"] == "anns", axes["stream"]
    events = sorted(log_events(requests.filter(world=0), axes), key=lambda event: event[0])
    with (folder / "run_metrics.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*COLUMNS, *(ANNS_COLUMNS if anns else ())], restval="")
        writer.writeheader()
        for time_s, kind, query, duration_s, concurrent in events:
            row = {"event_timestamp": stamp(EPOCH_S + time_s), "event_type": kind, "stream": stream}
            row |= {
                "details": '{"note": "a, b"}',
                "duration_secs": duration_s,
                "concurrent_requests": concurrent,
            }
            writer.writerow(
                row if query is None else row | {"query_id": query, "request_id": f"request-{query}"}
            )
    config = {"replay": {"poisson_avg_arrival_time": 1 / axes["qps"]}, "model": {"name": "llama"}}
    (folder / f"config_{axes['workload']}.yaml").write_text(yaml.safe_dump(config))
    if anns and stream:
        outputs = [
            {"query_id": query, "request_id": f"request-{query}", "num_tokens_invalidated": tokens}
            for query, tokens in requests.filter(world=0).select("request_id", "invalidated_tokens").rows()
        ]
        (folder / "collected_outputs_streaming.json").write_text(json.dumps(outputs))
    return folder


def log_events(requests: pl.DataFrame, axes: dict):
    """(time_s, kind, query, duration_s, concurrent_requests) of all events; stamps of sleeps are their ends.

    A streamed query sleeps before each of its chunks, at even distances after the first.
    """
    yield 0.0, "replay_start", None, "", ""
    concurrent = iter(concurrent_at_preemption(requests, COUNTED_FROM[axes["workload"]]).tolist())
    for row in requests.iter_rows(named=True):
        query, begin, end = row["request_id"], row["arrival_s"], row["finished_s"]
        yield begin, "query_start", query, "", ""
        for sent, asleep in _sleeps(row, axes["stream"]):
            yield sent, "query_sleep", query, asleep, ""
        yield row["first_token_s"], "query_ttft", query, repr(row["ttft_s"]), ""
        yield end, "query_e2e_latency", query, repr(row["e2e_s"]), ""
        for kind, duration_s in ENGINE:
            yield end, kind, query, duration_s, ""
        for how in ("recompute", "swap"):
            for _ in range(row[f"preemptions_{how}"]):
                yield end, f"preempted_{how}", query, 0.05, next(concurrent)
        yield end, "finished", query, "", ""
    yield requests["finished_s"].max() + 0.5, "replay_end", None, "", ""


def _sleeps(row: dict, stream: bool):
    if not stream:
        yield row["handed_over_s"], row["handed_over_s"] - row["arrival_s"]
        return
    yield row["opened_s"], row["opened_s"] - row["arrival_s"]
    gap_s = (row["handed_over_s"] - row["opened_s"]) / (row["chunks"] - 1) if row["chunks"] > 1 else 0.0
    for chunk in range(1, row["chunks"]):
        yield row["opened_s"] + chunk * gap_s, gap_s
