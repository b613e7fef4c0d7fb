"""The front page of a study's report: what was run, on what, when, and how far off it is."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

import headrace
from headrace.circumstances import commit, versions
from headrace.files import read_text, write_text
from headrace.metrics import read_metrics
from headrace.report.facts import Facts, gather, joined, overloaded, run_logs, settings, skipped_traces, total
from headrace.report.page import element, page, text
from headrace.report.parts import definitions, grid, section
from headrace.report.score_section import score_section
from headrace.scorecard.score import read as read_scorecard

STATEMENTS = {
    "sim": "Every number here is simulated: an engine on a virtual clock served the requests, no GPU did. The"
    " time of each step comes from the performance models below. Only sched_latency, the table of what a"
    " scheduling pass costs, is timed, on the machine that made it.",
    "vllm": "The numbers here were measured: vLLM with Headrace's plugin served the requests, in real time,"
    " on the devices named below.",
    "published": "The numbers here were read from the run logs that the study published. Headrace served no"
    " request for them.",
}
PACKAGES = ("matplotlib", "numpy", "polars", "snakemake")
HASH_DIGITS = 16


@dataclass(slots=True)
class Setting:
    """What the workflow knows and no cell says: the configuration, and which hardware was calibrated."""

    study: str
    backend: str
    config_sha256: str
    config_files: list[str]
    command_line: dict = field(default_factory=dict)
    calibrated: dict[str, bool] = field(default_factory=dict)


def write_front_page(
    cells: Iterable[Path],
    runs: Iterable[Path],
    metrics: Path,
    scorecard: Path,
    lock: Path,
    setting: Setting,
    out: Path,
    traces: Iterable[Path] = (),
    runs_listed: Iterable[Path] = (),
) -> None:
    """Write the page from the cells' cell.json and run.json, the metrics and the scorecard of one study.

    `lock` is the file that pins the packages, `traces` the counts of what was read from traces,
    `runs_listed` what became of run logs. The page has no script and loads nothing. Raises HeadraceError for
    every fault of an input.
    """
    facts, measured = gather(cells, runs), read_metrics(metrics)
    body = [
        element("h1", text(f"Headrace: {setting.study}")),
        element("p", text(STATEMENTS[setting.backend]), class_="statement"),
        element("div", _run(facts, setting, measured) + _circumstances(facts, lock), class_="columns"),
        _models(facts, setting.calibrated),
        score_section(read_scorecard(scorecard)),
        _overload(measured),
        _left_out(measured, skipped_traces(traces), run_logs(runs_listed)),
    ]
    content = element("div", "\n".join(filter(None, body)), class_="front-page")
    write_text(out, page(f"Headrace: {setting.study}", content, style="front_page.css"))


def _run(facts: Facts, setting: Setting, metrics: pl.DataFrame) -> str:
    evictions, delays = facts.values("eviction"), facts.values("delay")
    pairs = {
        "Study, backend": f"{setting.study}, {setting.backend}",
        "Cells": f"{len(facts.cells)}, with {total(metrics, 'requests'):,} requests in all their worlds",
        "Hardware": ", ".join(facts.values("hardware")),
        **_engines(facts),
        "Policies": _policies(facts),
        "Eviction rules": ", ".join(evictions),
        "Waits stretched by": ", ".join(f"x{delay}" for delay in delays),
    }
    for workload in facts.values("workload"):
        source, queries, worlds = (facts.spec(workload, key) for key in ("source", "queries", "worlds"))
        drawn = f"{source}; {queries} queries, {worlds} worlds; " if source else ""
        rates = ", ".join(f"{rate:g}" for rate in facts.rates(workload))
        pairs[f"Workload {workload}"] = f"{drawn}{rates} queries/s"
    pairs |= {
        "Configuration": f"{', '.join(setting.config_files)}; SHA-256 {setting.config_sha256[:HASH_DIGITS]}",
        "Set on the command line": settings(setting.command_line),
    }
    return section("What was run", definitions(pairs))


def _engines(facts: Facts) -> dict[str, str]:
    """What cells on vLLM were served by; nothing for other backends."""
    engines = [cell["vllm"] for cell in facts.cells if "vllm" in cell]
    if not engines:
        return {}
    weights = [engine["weights"] for engine in engines]
    return {
        "Served by": joined(f"{engine['version']} on {engine['device']}" for engine in engines),
        "Weights": joined(f"{each['source']} ({each['load_format']})" for each in weights),
        "Chunks sent late by": f"{facts.worst_lateness_ms():,.1f} ms at most in P99 of a cell",
    }


def _policies(facts: Facts) -> str:
    how = {(True,): "", (False,): " (not streaming)", (False, True): " (streaming and not)"}
    served = {(axes["policy"], axes["stream"]) for axes in facts.axes}
    streams = {
        name: tuple(sorted(stream for policy, stream in served if policy == name)) for name, _ in served
    }
    return ", ".join(name + how[streams[name]] for name in sorted(streams))


def _circumstances(facts: Facts, lock: Path) -> str:
    period = facts.period()
    times = " to ".join(f"{time:%Y-%m-%d %H:%M:%S}" for time in period) + " UTC" if period else "not recorded"
    served = facts.values("backend") != ["published"]
    took = f"; {facts.wall_s():,.0f} s in all" if served else ""
    here = versions(PACKAGES)
    pairs = {
        "Cells ran" if served else "Run logs read": times + took,
        "Host": facts.circumstance("host"),
        "CPU": facts.circumstance("cpu"),
        "Operating system": facts.circumstance("os"),
        "Python": facts.circumstance("python"),
        "Headrace": f"{joined(cell.get('version') for cell in facts.cells)},"
        f" commit {facts.circumstance('commit')}",
        "Packages of the cells": _listed(facts.packages()) or "not recorded",
        "This page by": f"Headrace {headrace.__version__}, commit {commit() or 'unknown'}; {_listed(here)}",
        "Package lock": f"{lock}; SHA-256 {_file_hash(lock)}",
    }
    return section("On what, and when", definitions(pairs))


def _file_hash(path: Path) -> str:
    """As sha256sum gives it, its first digits."""
    return hashlib.sha256(read_text(path).encode()).hexdigest()[:HASH_DIGITS]


def _listed(packages: dict[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in packages.items())


def _models(facts: Facts, calibrated: dict[str, bool]) -> str:
    models = facts.perf_models()
    if not models:
        return ""
    rows = [
        (
            hardware,
            f"{model['gpu']}, TP {model['tensor_parallel']}",
            model["provider"],
            Path(model["file"]).name,
            model["sha256"][:HASH_DIGITS],
            "yes" if calibrated.get(hardware) else "no",
        )
        for hardware, model in sorted(models.items())
    ]
    head = ("hardware", "GPU", "provider", "file", "SHA-256", "calibrated")
    note = (
        "Calibrated: pool and overheads were fitted to the calibration set; otherwise all is data sheet,"
        " measured tables, an assumption or taken over from a calibrated GPU."
    )
    return section("Performance models", grid(head, rows) + element("p", note))


def _overload(metrics: pl.DataFrame) -> str:
    rows = [
        (
            cell["workload"],
            cell["hardware"],
            f"x{cell['delay']}, {cell['eviction']}",
            cell["policy"] + ", non-streaming" * (not cell["stream"]),
            f"{cell['qps']:g}",
            "-" if cell["offered_load"] is None else f"{cell['offered_load']:.2f}",
        )
        for cell in overloaded(metrics).iter_rows(named=True)
    ]
    note = (
        "More work arrives than the engine can do (offered load above 1, or a backlog that keeps growing) in"
        " more than half of the worlds: numbers there depend on how long the trace is."
    )
    head = ("workload", "hardware", "waits, eviction", "policy", "queries/s", "offered load")
    shown = grid(head, rows, numbers=2) if rows else element("p", "None.")
    return section(f"Overloaded cells: {len(rows)}", element("p", note) + shown)


def _left_out(metrics: pl.DataFrame, traces: dict[str, str], runs: dict[str, int]) -> str:
    pairs = {"Requests refused": f"{total(metrics, 'refused'):,}"}
    pairs |= {f"Traces of {workload}": told for workload, told in sorted(traces.items())}
    pairs |= {f"Run logs {status}": f"{count:,}" for status, count in runs.items()}
    return section("Left out", definitions(pairs))
