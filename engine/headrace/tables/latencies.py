"""Latencies of a scheduling pass: as published, and timed here."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headrace.errors import HeadraceError, nearest
from headrace.scorecard.csv_rows import read_rows
from headrace.scorecard.reference import POLICIES, WORKLOADS
from headrace.timing import FORMS, STREAMS, forms_of, timed

PUBLISHED = "published"
ORDER = (*FORMS, PUBLISHED)
KEY = ("workload", "policy", "queue_size")
STATISTICS = ("mean_us", "p50_us", "p95_us", "p99_us")
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Latency:
    """Microseconds of a pass, by statistic (of `STATISTICS`), in one form (of `ORDER`).

    `token_budget` and `passes` (those that were counted) are None where they are not known.
    """

    workload: str
    policy: str
    queue_size: int
    form: str
    microseconds: dict[str, float]
    token_budget: int | None = None
    passes: int | None = None

    def place(self) -> tuple[str, str, int, int]:
        """Where it stands among others."""
        return self.workload, self.policy, self.queue_size, ORDER.index(self.form)


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


def time_passes(
    policies: list[str], token_budgets: dict[str, int], queue_sizes: list[int], passes: int
) -> list[Latency]:
    """Time `passes` passes of every policy and queue length, in all forms, on this machine.

    token_budgets: tokens per step of each workload. Raises HeadraceError for an unknown policy or workload
    and for passes below 1.
    """
    if passes < 1:
        raise HeadraceError("passes", f"is {passes}", "time at least 1")
    for workload in token_budgets:
        if workload not in STREAMS:
            remedy = nearest(workload, STREAMS)
            raise HeadraceError("token_budgets", f"no queue for workload {workload!r}", remedy)
    found = []
    for workload, budget in token_budgets.items():
        for policy in policies:
            for size in queue_sizes:
                for form in forms_of(policy):
                    times_us = timed(form, policy, workload, budget, size, passes)
                    values = [np.mean(times_us), *np.percentile(times_us, PERCENTILES)]
                    statistics = dict(zip(STATISTICS, map(float, values), strict=True))
                    found.append(Latency(workload, policy, size, form, statistics, budget, len(times_us)))
    return found
