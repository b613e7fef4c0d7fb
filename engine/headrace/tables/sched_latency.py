"""What one scheduling pass costs per policy and queue length: timed here, published beside it.

A timing of the machine that makes the table: no two runs give the same numbers. The published numbers are of
another machine, so that no error is formed from the two.
"""

import csv
import io
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headrace.circumstances import cpu
from headrace.errors import HeadraceError, nearest
from headrace.files import write_text
from headrace.scorecard.csv_rows import read_rows
from headrace.scorecard.reference import POLICIES, WORKLOADS
from headrace.tables.document import captioned, heading
from headrace.tables.markdown import NONE, escape, number, table
from headrace.timing import STREAMS, forms_of, timed

KEY = ("workload", "policy", "queue_size")
STATISTICS = {"mean_us": "mean", "p50_us": "P50", "p95_us": "P95", "p99_us": "P99"}
COLUMNS = (*KEY, "form", "machine", "token_budget", "passes", *STATISTICS)
PUBLISHED = "published"
FORMS = {
    "amortised": "the order is kept: the arrival of up to 3 chunks, a plan, and the re-filing after it",
    "from_scratch": "every request is sorted by the policy's key, then planned",
    "published_shape": "the published work in the published way, in the same run on this machine",
    PUBLISHED: "the study's numbers, of another machine: to be read beside ours, not against them",
}
TITLE = "Latency of a scheduling pass"


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds of a pass in one form (of `FORMS`), here or published, by statistic (of `STATISTICS`)."""

    workload: str
    policy: str
    queue_size: int
    form: str
    microseconds: dict[str, float]


def write(
    reference: list[Path],
    policies: list[str],
    token_budgets: dict[str, int],
    passes: int,
    out_stem: Path,
    provenance: str,
) -> None:
    """Time every policy at the published queue lengths; write `out_stem`.csv and `out_stem`.md.

    token_budgets: tokens per step of each workload; passes: how many are timed per length and form.
    Raises HeadraceError for an unknown policy or workload, passes below 1 and a fault in the reference.
    """
    if passes < 1:
        raise HeadraceError("passes", f"is {passes}", "time at least 1")
    for workload in token_budgets:
        if workload not in STREAMS:
            raise HeadraceError(
                "token_budgets", f"no queue for workload {workload!r}", nearest(workload, STREAMS)
            )
    if not reference:
        raise HeadraceError("reference", "no file of published numbers", "name those of data/reference")
    published = read_published(reference[0].parent / "scheduler_latency_us.csv")
    sizes = sorted({row.queue_size for row in published})
    rows = [
        Latency(workload, policy, size, form, _timed(form, policy, workload, budget, size, passes))
        for workload, budget in token_budgets.items()
        for policy in policies
        for size in sizes
        for form in forms_of(policy)
    ]
    rows += [row for row in published if row.workload in token_budgets]
    write_text(out_stem.with_suffix(".csv"), _csv(rows, token_budgets, passes))
    write_text(out_stem.with_suffix(".md"), _page(rows, token_budgets, passes, provenance, out_stem.name))


def read_published(file: Path) -> list[Latency]:
    """The published latencies. Raises HeadraceError, with its line, for a fault in the file."""
    found = []
    for row in read_rows(file, (*KEY, *STATISTICS), KEY):
        size = row.number("queue_size")
        if size != int(size):
            raise row.error(f"queue_size is {size:g}", "expected a whole number")
        values = {column: row.number(column) for column in STATISTICS}
        workload, policy = row.known("workload", WORKLOADS), row.known("policy", POLICIES)
        found.append(Latency(workload, policy, int(size), PUBLISHED, values))
    return found


def _timed(*run: str | int) -> dict[str, float]:
    times_us = timed(*run)
    values = [float(np.mean(times_us)), *map(float, np.percentile(times_us, (50, 95, 99)))]
    return dict(zip(STATISTICS, values, strict=True))


def _machine() -> str:
    return f"{cpu()}, Python {platform.python_version()}"


def _csv(rows: list[Latency], token_budgets: dict[str, int], passes: int) -> str:
    text, machine = io.StringIO(), _machine()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in sorted(rows, key=_place):
        here = (machine, token_budgets[row.workload], passes)
        where = (PUBLISHED, "", "") if row.form == PUBLISHED else here
        values = [f"{value:.6g}" for value in row.microseconds.values()]
        writer.writerow([row.workload, row.policy, row.queue_size, row.form, *where, *values])
    return text.getvalue()


def _page(rows: list[Latency], token_budgets: dict[str, int], passes: int, provenance: str, name: str) -> str:
    forms = "\n".join(f"- **{form}**: {meaning}." for form, meaning in FORMS.items())
    source = f"{provenance[0].upper()}{provenance[1:]}: {_machine()}. {passes:,} passes per number."
    parts = [
        f"# {TITLE}",
        escape(source),
        "Microseconds to order the queued requests and to hand out one step's tokens and blocks, on queues"
        " of our own. default_vllm sorts nothing, so it has one form. These are timings: they differ from"
        " run to run and from machine to machine. The forms timed here can be held against each other; from"
        " the published numbers no error is formed.",
        forms,
    ]
    sizes = sorted({row.queue_size for row in rows})
    for workload in sorted(token_budgets, reverse=True):
        runs: dict[tuple[str, str], dict[int, dict[str, float]]] = {}
        for row in rows:
            if row.workload == workload:
                runs.setdefault((row.policy, row.form), {})[row.queue_size] = row.microseconds
        medians = [
            [*labels, *(number(found[size]["p50_us"]) if size in found else NONE for size in sizes)]
            for labels, found in _labelled(runs)
        ]
        longest = [
            [*labels, *(number(value) for value in found[sizes[-1]].values())]
            for labels, found in _labelled(runs)
            if sizes[-1] in found
        ]
        by_size = table(["policy", "", *map(str, sizes)], medians, labels=2)
        at_longest = table(["policy", "", *STATISTICS.values()], longest, labels=2)
        title = f"{workload}, {token_budgets[workload]:,} tokens per step"
        body = [captioned("P50 (us) by requests queued", by_size)]
        parts += heading(title, [*body, captioned(f"With {sizes[-1]} queued (us)", at_longest)])
    parts += heading("Every row", [f"[{name}.csv]({name}.csv). Its columns: {', '.join(COLUMNS)}."])
    return "\n\n".join(parts) + "\n"


def _place(row: Latency) -> tuple[str, str, int, int]:
    return row.workload, row.policy, row.queue_size, [*FORMS].index(row.form)


def _labelled(runs: dict[tuple[str, str], dict]) -> list[tuple[list[str], dict]]:
    """Runs by policy and form, in the order of `FORMS`, with the policy's name where it is a new one."""
    order = sorted(runs, key=lambda run: (run[0], [*FORMS].index(run[1])))
    lines, before = [], None
    for policy, form in order:
        lines.append(([escape(policy) if policy != before else "", escape(form)], runs[policy, form]))
        before = policy
    return lines
