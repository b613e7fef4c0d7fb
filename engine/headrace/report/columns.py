"""How the columns of the scorecard are shown: what they mean, errors in percent, verdicts in colour."""

from headrace.report.table_page import Column


def _percent(field: str) -> str:
    return f"{float(field):+.1%}"


SCORED = {
    "artifact": Column("figure or table of the study that shows the number; inline: its text and main grid"),
    "setting": Column("main, or delay<factor>_<eviction>: waits stretched, under that eviction rule"),
    "qps": Column("mean rate of query starts, 1/s"),
    "stream": Column("true: chunks are handed over as they come; false: the whole prompt at the end"),
    "quantity": Column(
        "what the number is, its unit in the name; TTFT runs from the return of the last hand-over"
        " (without streaming: from the submission) to the first token"
    ),
    "published": Column("one run on real GPUs, from the study; empty where there is no such number here"),
    "reproduced": Column(
        "ours: world 0, the most typical draw, where it replays the published arrivals, else the median over"
        " worlds"
    ),
    "pi_low": Column("lower end of the 95 % prediction interval for one run, from the spread over worlds"),
    "pi_high": Column("its upper end"),
    "rel_error": Column("(reproduced - published) / published", shown=_percent),
    "null_error": Column("the same for a baseline without a simulator", shown=_percent),
    "role": Column(
        "calibrated: a fit may look at it; input: a generator was told it; seen: known while building, no fit"
        " looked; held_out: no published number here yet",
        marked=True,
    ),
    "verdict": Column(
        "inside or outside: whether the published number lies in the interval; excluded from verdicts for a"
        " stated reason; missing: published and not reproduced",
        marked=True,
    ),
    "overload": Column("whether more work arrives than the engine can do, in the row's run or its baseline"),
}
