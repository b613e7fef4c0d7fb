"""The published numbers of Stream2LLM, as rows of a scorecard."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError
from headrace.scorecard.csv_rows import Row, read_rows

KEYS = {
    "artifact": pl.String,
    "hardware": pl.String,
    "workload": pl.String,
    "setting": pl.String,
    "qps": pl.Float64,
    "policy": pl.String,
    "stream": pl.Boolean,
    "quantity": pl.String,
}
SCHEMA = KEYS | {"published": pl.Float64}

HARDWARE = {"H200": "h200-tp2", "H100": "h100-tp2"}
WORKLOADS = ("anns", "crawler")
EVICTIONS = {"cost_based": "cost_published", "recompute_only": "recompute", "swap_only": "swap"}
SETTINGS = {"main": "main"} | {
    f"delay{delay}_{published}": f"delay{delay}_{ours}"
    for delay in (10, 30)
    for published, ours in EVICTIONS.items()
}
POLICIES = ("default_vllm", "fcfs", "lcas", "mcps")
PERCENTILES = ("p50", "p95", "p99", "p99.9")
BASELINES = {
    "default_vllm_streaming": (True, "speedup_vs_streaming"),
    "default_vllm_non_streaming": (False, "speedup_vs_non_streaming"),
}
STATISTICS = {"median": "p50"} | {
    name: name for name in ("mean", "std", "min", "p5", "p25", "p50", "p75", "p95", "p99", "max")
}
STATISTIC_COLUMNS = {
    "table2": ("workload", "quantity", "unit", "n", "mean", "p50", "p75", "p95"),
    "fig8-10": (
        *("workload", "quantity", "unit", "count", "mean", "median", "std"),
        *("p5", "p25", "p75", "p95", "p99", "min", "max"),
    ),
}
UNIT_S = {"ms": 1e-3, "s": 1.0}

_CELL = ("hardware", "workload", "setting", "qps", "policy")


def read_reference(folder: Path) -> pl.DataFrame:
    """All published numbers under `folder`: one row per number, columns `SCHEMA`, in our names and units.

    A policy's TTFT in seconds was not published: it is the streaming baseline's over the policy's speedup.
    Raises HeadraceError (file and line) for a fault in a file, for a run without all four percentiles, and
    for a speedup over a baseline that is not there.
    """
    seconds = list(_seconds(folder / "ttft_seconds.csv"))
    rows = [*seconds, *_speedups(folder / "ttft_speedups.csv", seconds)]
    rows += _preemptions(folder / "preemptions.csv", seconds)
    rows += _invalidated(folder / "tokens_invalidated_ratio.csv")
    rows += _statistics(folder / "workload_stats.csv", "table2")
    rows += _statistics(folder / "chunk_arrivals.csv", "fig8-10")
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def latency_artifact(setting: str) -> str:
    """Where the study shows TTFT and speedups of `setting`: in its text, or in table 3."""
    return "inline" if setting == "main" else "table3"


def statistic_quantity(quantity: str, statistic: str, unit: str) -> str:
    """The scorecard's name of a workload statistic: `query_duration_p50_s`, `chunks_per_query_mean`."""
    return f"{quantity}_{statistic}{'_s' if unit in UNIT_S else ''}"


def _cell(row: Row) -> tuple[str, str, str, str]:
    setting = SETTINGS[row.known("setting", SETTINGS)]
    policy = row.known("policy", POLICIES)
    return HARDWARE[row.known("hardware", HARDWARE)], row.known("workload", WORKLOADS), setting, policy


def _seconds(file: Path) -> Iterator[tuple]:
    key = (*_CELL, "stream", "percentile")
    runs: dict[tuple, set[str]] = {}
    for row in read_rows(file, (*key, "ttft_s"), key):
        hardware, workload, setting, policy = _cell(row)
        stream = row.known("stream", ("true", "false")) == "true"
        percentile, qps = row.known("percentile", PERCENTILES), row.number("qps")
        run = (latency_artifact(setting), hardware, workload, setting, qps, policy, stream)
        runs.setdefault(run, set()).add(percentile)
        yield (*run, f"ttft_{percentile}_s", row.number("ttft_s"))
    _check_whole(file, runs)


def _speedups(file: Path, seconds: list[tuple]) -> Iterator[tuple]:
    baselines = {row[1:-1]: row[-1] for row in seconds}
    key = (*_CELL, "baseline", "percentile")
    runs: dict[tuple, set[str]] = {}
    for row in read_rows(file, (*key, "speedup"), key):
        hardware, workload, setting, policy = _cell(row)
        baseline, percentile = row.known("baseline", BASELINES), row.known("percentile", PERCENTILES)
        streaming, quantity = BASELINES[baseline]
        qps, speedup = row.number("qps"), row.number("speedup")
        over = (hardware, workload, setting, qps, "default_vllm", streaming, f"ttft_{percentile}_s")
        if over not in baselines:
            raise row.error(
                f"{baseline} has no {percentile} at {qps} QPS in {setting}", "add it to ttft_seconds.csv"
            )
        run = (latency_artifact(setting), hardware, workload, setting, qps, policy, True)
        runs.setdefault((*run, baseline), set()).add(percentile)
        yield (*run, f"{quantity}_{percentile}", speedup)
        if streaming:
            yield (*run, f"ttft_{percentile}_s", baselines[over] / speedup)
    _check_whole(file, runs)


def _preemptions(file: Path, seconds: list[tuple]) -> Iterator[tuple]:
    concurrent = tuple(f"concurrent_requests_{statistic}" for statistic in ("p50", "p95", "mean"))
    key = ("hardware", "workload", "setting", "policy")
    qps_of = {row[1:4]: row[4] for row in seconds}
    for row in read_rows(file, (*key, "preemptions", "recompute", "swap", *concurrent), key):
        hardware, workload, setting, policy = _cell(row)
        if (hardware, workload, setting) not in qps_of:
            raise row.error(f"{setting} of {workload} has no QPS", "add its baseline to ttft_seconds.csv")
        run = ("table4", hardware, workload, setting, qps_of[hardware, workload, setting], policy, True)
        total, recompute, swap = (
            row.number(kind, zero=True) for kind in ("preemptions", "recompute", "swap")
        )
        if total != recompute + swap:
            raise row.error(f"{total:g} preemptions are not {recompute:g} + {swap:g}", "correct the row")
        yield (*run, "preemptions", total)
        yield (*run, "preemptions_recompute", recompute)
        yield (*run, "preemptions_swap", swap)
        if total:
            yield (*run, "swap_share", swap / total)
        for quantity in concurrent:
            yield (*run, quantity, row.number(quantity))


def _invalidated(file: Path) -> Iterator[tuple]:
    key = ("hardware", "workload", "qps", "policy")
    statistics = ("p50", "p95", "mean")
    for row in read_rows(file, (*key, *(f"{statistic}_ratio" for statistic in statistics)), key):
        hardware, workload = HARDWARE[row.known("hardware", HARDWARE)], row.known("workload", WORKLOADS)
        run = ("fig12", hardware, workload, "main", row.number("qps"), row.known("policy", POLICIES), True)
        for statistic in statistics:
            yield (*run, f"invalidated_ratio_{statistic}", row.number(f"{statistic}_ratio"))


def _statistics(file: Path, artifact: str) -> Iterator[tuple]:
    columns = STATISTIC_COLUMNS[artifact]
    quantities = ("total_tokens_per_query", "query_duration", "inter_chunk_time", "chunks_per_query")
    for row in read_rows(file, columns, ("workload", "quantity")):
        workload, quantity = row.known("workload", WORKLOADS), row.known("quantity", quantities)
        unit = row.known("unit", ("tokens", "chunks", *UNIT_S))
        for column, statistic in STATISTICS.items():
            if row.fields.get(column):
                name = statistic_quantity(quantity, statistic, unit)
                value = row.number(column) * UNIT_S.get(unit, 1.0)
                yield (artifact, None, workload, None, None, None, None, name, value)


def _check_whole(file: Path, runs: dict[tuple, set[str]]) -> None:
    for run, found in runs.items():
        for percentile in PERCENTILES:
            if percentile not in found:
                name = ", ".join(str(part) for part in run[1:])
                raise HeadraceError(
                    file, f"{percentile} of {name} is missing", "restore the file from the repository"
                )
