"""Throughput when every query starts at once: does streaming cost any?

Nothing waits for an arrival then, so the time until the last query is done is the engine's capacity, and what
it loses: work that is done again, steps that are not full, and time in which nothing has reached it yet.
"""

import csv
import io
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import polars as pl

from headrace.axes import Axes
from headrace.errors import HeadraceError
from headrace.files import write_text
from headrace.metrics.latency import duration_s
from headrace.scorecard.csv_rows import read_rows
from headrace.trial import Trial
from headrace.workload.progress import progress_bar

BASELINE = ("default_vllm", False)
KEY = ("hardware", "workload", "policy", "stream", "world")


@dataclass(frozen=True, slots=True)
class Run:
    """One world of one policy with all arrivals at 0."""

    hardware: str
    workload: str
    policy: str
    stream: bool
    world: int
    requests: int
    completion_s: float
    """From the start of all queries to the last finish."""
    request_throughput: float
    """Requests per second of `completion_s`."""
    token_throughput: float
    """Tokens of final prompts per second of `completion_s`."""
    throughput_ratio: float
    """Over that of default_vllm, non-streaming, in the same world."""
    first_handover_s: float
    """From the start of all queries to the first hand-over: the client tokenises, the engine has nothing."""
    busy_s: float
    """Steps and swaps."""
    busy_ratio: float
    """Of default_vllm, non-streaming, in the same world, over this one: throughput but for idle time."""
    unfinished: float
    """Requests that the engine holds, on average over the completion time."""
    steps: int
    prompt_tokens: int
    """Of final prompts: the work that has to be done."""
    computed_tokens: int
    """All that were computed: the work that was done."""
    invalidated_tokens: int
    """Of these, those that an update made worthless."""
    preemptions_recompute: int
    preemptions_swap: int

    @property
    def idle_s(self) -> float:
        """The rest of the completion time: before the first hand-over and after it."""
        return self.completion_s - self.busy_s

    @property
    def idle_later_s(self) -> float:
        return self.idle_s - self.first_handover_s

    @property
    def tokens_per_step(self) -> float:
        return self.computed_tokens / self.steps

    @property
    def again_tokens(self) -> int:
        """Computed once more: after a preemption, or to sample when a stream closed without new tokens."""
        return self.computed_tokens - self.prompt_tokens - self.invalidated_tokens


COLUMNS = tuple(field.name for field in fields(Run))


def write_parity(
    config: dict, study: str, cells: list[Axes], worlds: dict[str, int], out: Path, progress: bool = True
) -> None:
    """Serve `cells` with all arrivals at 0 in worlds 0.. of their workload (`worlds`); write CSV (`COLUMNS`).

    default_vllm, non-streaming, is served for each of them, too. Raises HeadraceError as `Trial` does.
    """
    trial, runs = Trial(config, study, arrivals="at_once"), []
    whole = _with_baselines(cells)
    with progress_bar("all at once", len(whole), progress) as advance:
        for cell in whole:
            for table, totals in trial.served(cell, range(worlds[cell["workload"]])):
                runs.append(_run(cell, table, totals, runs))
            advance()
    write_text(out, _csv(runs))


def read_parity(file: Path) -> list[Run]:
    """What `write_parity` wrote. Raises HeadraceError for a fault in the file."""
    found = []
    for row in read_rows(file, COLUMNS, KEY, "make it again: snakemake parity"):
        values: dict = {}
        for field in fields(Run):
            if field.type is bool:
                values[field.name] = row.known(field.name, ("true", "false")) == "true"
            elif field.type is str:
                values[field.name] = row.fields[field.name]
            else:
                values[field.name] = field.type(row.number(field.name, zero=True))
        found.append(Run(**values))
    return found


def _with_baselines(cells: list[Axes]) -> list[Axes]:
    """By workload, its baseline first."""
    policy, stream = BASELINE
    whole = {tuple({**cell, "policy": policy, "stream": stream}.items()): None for cell in cells}
    whole |= {tuple(cell.items()): None for cell in cells}
    return sorted(map(dict, whole), key=lambda cell: str(cell["workload"]))


def _run(cell: Axes, table: pl.DataFrame, totals: dict, before: list[Run]) -> Run:
    completion_s = duration_s(table)
    if completion_s is None:
        raise HeadraceError("parity", f"{cell['policy']} served nothing", "raise the KV pool")
    throughput = table["finished_s"].count() / completion_s
    key = {name: cell[name] for name in ("hardware", "workload", "policy", "stream")}
    sums = {
        name: int(table[name].sum())
        for name in (
            *("prompt_tokens", "computed_tokens", "invalidated_tokens"),
            *("preemptions_recompute", "preemptions_swap"),
        )
    }
    base = next((run for run in before if _is_baseline(run, cell, totals["world"])), None)
    return Run(
        **key,
        world=totals["world"],
        requests=table.height,
        completion_s=completion_s,
        request_throughput=throughput,
        token_throughput=sums["prompt_tokens"] / completion_s,
        throughput_ratio=throughput / base.request_throughput if base else 1.0,
        first_handover_s=float(table["opened_s"].min() - table["arrival_s"].min()),
        busy_s=totals["busy_s"],
        busy_ratio=base.busy_s / totals["busy_s"] if base else 1.0,
        unfinished=float((table["finished_s"] - table["opened_s"]).sum()) / completion_s,
        steps=totals["steps"],
        **sums,
    )


def _is_baseline(run: Run, cell: Axes, world: int) -> bool:
    """Whether `run` is default_vllm, non-streaming, of that workload and world; it comes first."""
    return (run.workload, run.world, run.policy, run.stream) == (cell["workload"], world, *BASELINE)


def _csv(runs: list[Run]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        writer.writerow(map(_text, asdict(run).values()))
    return text.getvalue()


def _text(value: str | bool | float) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)
