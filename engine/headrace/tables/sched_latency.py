"""What one scheduling pass costs per policy and queue length: timed here, published beside it.

A timing of the machine that makes the table: no two runs give the same numbers. The published numbers are of
another machine, so that no error is formed from the two.
"""

import csv
import io
import platform
from pathlib import Path

from headrace.circumstances import cpu
from headrace.errors import HeadraceError
from headrace.files import write_text
from headrace.tables.latencies import KEY, ORDER, PUBLISHED, STATISTICS, Latency, read_published, time_passes
from headrace.tables.markdown import NONE, captioned, escape, heading, number, table

COLUMNS = (*KEY, "form", "machine", "token_budget", "passes", *STATISTICS)
TITLE = "Latency of a scheduling pass"
ABOUT = (
    "Microseconds to order the queued requests and to hand out one step's tokens and blocks, on queues of our"
    " own. default_vllm sorts nothing, so it has one form. These are timings: they differ from run to run and"
    " from machine to machine. Passes in which the operating system took the CPU away are left out. The forms"
    " timed here can be held against each other; from the published numbers no error is formed."
)
FORMS = {
    "amortised": "the order is kept: new requests and up to 3 chunks are filed, a plan, the re-filing after",
    "from_scratch": "every request is sorted by the policy's key, then planned",
    "published_shape": "the published work in the published way, in the same run on this machine",
    PUBLISHED: "the study's numbers, of another machine: to be read beside ours, not against them",
}
HEADINGS = ("mean", "P50", "P95", "P99")

Runs = dict[tuple[str, str], dict[int, Latency]]


def write(
    reference: list[Path],
    policies: list[str],
    token_budgets: dict[str, int],
    passes: int,
    out_stem: Path,
    provenance: str,
) -> None:
    """Time every policy at the published queue lengths; write `out_stem`.csv and `out_stem`.md.

    Raises HeadraceError as `time_passes` does, and for a fault in the reference.
    """
    if not reference:
        raise HeadraceError("reference", "no file of published numbers", "name those of data/reference")
    published = read_published(reference[0].parent / "scheduler_latency_us.csv")
    queue_sizes = sorted({row.queue_size for row in published})
    rows = time_passes(policies, token_budgets, queue_sizes, passes)
    rows += [row for row in published if row.workload in token_budgets]
    rows.sort(key=Latency.place)
    machine = f"{cpu()}, Python {platform.python_version()}"
    source = f"{provenance[0].upper()}{provenance[1:]}: {machine}. {passes:,} passes per number."
    page = [f"# {TITLE}", escape(source), ABOUT]
    page.append("\n".join(f"- **{form}**: {FORMS[form]}." for form in ORDER))
    for workload in sorted(token_budgets, reverse=True):
        title = f"{workload}, {token_budgets[workload]:,} tokens per step"
        page += heading(title, _tables([row for row in rows if row.workload == workload], queue_sizes))
    name = out_stem.with_suffix(".csv").name
    page += heading("Every row", [f"[{name}]({name}). Its columns: {', '.join(COLUMNS)}."])
    write_text(out_stem.with_suffix(".csv"), _csv(rows, machine))
    write_text(out_stem.with_suffix(".md"), "\n\n".join(page) + "\n")


def _csv(rows: list[Latency], machine: str) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        where = PUBLISHED if row.form == PUBLISHED else machine
        values = [f"{row.microseconds[column]:.6g}" for column in STATISTICS]
        writer.writerow([*row.place()[:3], row.form, where, row.token_budget, row.passes, *values])
    return text.getvalue()


def _tables(rows: list[Latency], queue_sizes: list[int]) -> list[str]:
    """Medians by queue length, and all statistics at the greatest one."""
    runs: Runs = {}
    for row in sorted(rows, key=lambda row: (row.policy, ORDER.index(row.form), row.queue_size)):
        runs.setdefault((row.policy, row.form), {})[row.queue_size] = row
    medians, at_longest, before = [], [], None
    for (policy, form), found in runs.items():
        labels = ["" if policy == before else escape(policy), form]
        medians.append([*labels, *(_median(found.get(size)) for size in queue_sizes)])
        if queue_sizes[-1] in found:
            at_longest.append([*labels, *map(number, found[queue_sizes[-1]].microseconds.values())])
        before = policy
    by_size = table(["policy", "", *map(str, queue_sizes)], medians, labels=2)
    longest = table(["policy", "", *HEADINGS], at_longest, labels=2)
    return [
        captioned("P50 (us) by requests queued", by_size),
        captioned(f"With {queue_sizes[-1]} queued (us)", longest),
    ]


def _median(row: Latency | None) -> str:
    return NONE if row is None else number(row.microseconds["p50_us"])
