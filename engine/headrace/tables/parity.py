"""Throughput with all arrivals at once: every policy against non-streaming, and where the difference lies."""

import csv
import io
import statistics
from collections.abc import Callable
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import write_text
from headrace.tables.markdown import captioned, count, escape, heading, number, percent, table
from headrace.variants.parity import Run, read_parity

TITLE = "Throughput with all arrivals at once"
ABOUT = (
    "Every query starts at 0 s: nothing waits for an arrival, and completion time is what client and engine"
    " can do. Throughput is requests per second from there to the last finish, against default_vllm without"
    " streaming in the same world. The study published no number of this."
)
TARGET = 0.02
QUANTITIES: dict[str, Callable[[Run], float]] = {
    "completion_s": lambda run: run.completion_s,
    "request_throughput": lambda run: run.request_throughput,
    "token_throughput": lambda run: run.token_throughput,
    "throughput_ratio": lambda run: run.throughput_ratio,
    "first_handover_s": lambda run: run.first_handover_s,
    "busy_s": lambda run: run.busy_s,
    "busy_ratio": lambda run: run.busy_ratio,
    "idle_s": lambda run: run.idle_s,
    "idle_later_s": lambda run: run.idle_later_s,
    "steps": lambda run: run.steps,
    "tokens_per_step": lambda run: run.tokens_per_step,
    "invalidated_share": lambda run: run.invalidated_tokens / run.prompt_tokens,
    "again_share": lambda run: run.again_tokens / run.prompt_tokens,
    "preemptions_recompute": lambda run: run.preemptions_recompute,
    "preemptions_swap": lambda run: run.preemptions_swap,
    "unfinished": lambda run: run.unfinished,
}
COLUMNS = ("hardware", "workload", "policy", "stream", "quantity", "worlds", "median", "lowest", "highest")

Group = tuple[str, str, str, bool]


def write(runs: list[Path], out_stem: Path, provenance: str) -> None:
    """Write `out_stem`.csv and `out_stem`.md from the table of runs (headrace.variants.parity).

    Numbers are medians over worlds; ratios are taken within a world. Raises HeadraceError for a fault in the
    table.
    """
    groups: dict[Group, list[Run]] = {}
    for file in runs:
        for run in read_parity(file):
            key = run.hardware, run.workload, run.policy, run.stream
            groups.setdefault(key, []).append(run)
    if not groups:
        raise HeadraceError("table of parity", "there is no run", "serve at least one policy at once")
    page = [f"# {TITLE}", escape(f"{provenance[0].upper()}{provenance[1:]}. {_sizes(groups)}."), ABOUT]
    page.append(_legend())
    for workload in sorted({key[1] for key in groups}, reverse=True):
        shown = {key: found for key, found in groups.items() if key[1] == workload}
        hardware = next(iter(shown))[0]
        body = [_verdict(shown), captioned("Times", _times(shown)), captioned("Work", _work(shown))]
        page += heading(f"{workload}, {hardware}", body)
    name = out_stem.with_suffix(".csv").name
    columns = f"Its columns: {', '.join(COLUMNS)} (the last three over worlds)"
    page += heading("Every row", [f"[{name}]({name}). {columns}."])
    write_text(out_stem.with_suffix(".csv"), _csv(groups))
    write_text(out_stem.with_suffix(".md"), "\n\n".join(page) + "\n")


def _legend() -> str:
    return "\n".join(
        [
            "- **throughput**: over that of default_vllm without streaming, median (lowest..highest world).",
            "- **first hand-over**: until then the client tokenises the text of all queries and the engine is"
            " idle; streaming, that is the text of every update.",
            "- **busy, idle later**: seconds of steps and swaps, and what else there is after the first"
            " hand-over. The three add up to the completion time, but for medians.",
            "- **engine alone**: the same ratio of busy seconds, as if nothing were ever idle.",
            "- **invalidated, again**: tokens that an update made worthless, and tokens computed once more,"
            " both as a share of the tokens of final prompts.",
            "- **unfinished**: requests that the engine holds on average; each step loops over them.",
        ]
    )


def _verdict(shown: dict[Group, list[Run]]) -> str:
    """The largest difference of a streaming policy, and what of it is what; differences add up: means."""
    base = next((found for key, found in shown.items() if not key[3]), None)
    ratios = {key: _median(found, "throughput_ratio") for key, found in shown.items() if key[3]}
    if base is None or not ratios:
        return ""
    inside = sum(abs(ratio - 1) <= TARGET for ratio in ratios.values())
    key = max(ratios, key=lambda key: abs(ratios[key] - 1))
    worst = shown[key]

    def more(quantity: str) -> float:
        return _mean(worst, quantity) - _mean(base, quantity)

    def signed_s(quantity: str) -> str:
        return f"{round(more(quantity), 1) + 0.0:+.1f} s"

    def both(quantity: str, say: Callable[[float], str]) -> str:
        return f"{say(_median(worst, quantity))} instead of {say(_median(base, quantity))}"

    alone = _median(worst, "busy_ratio")
    text = (
        f"Within {percent(TARGET)} of non-streaming: {inside} of {len(ratios)} streaming policies. The"
        f" furthest is {escape(key[2])}, at {ratios[key]:.3f} of its throughput; the engine alone is at"
        f" {alone:.3f}. Completion: {signed_s('completion_s')} (mean over worlds), of which"
        f" {signed_s('first_handover_s')} until the first hand-over, while the client tokenises and the"
        f" engine is idle ({both('first_handover_s', number)} s), {signed_s('busy_s')} busy and"
        f" {signed_s('idle_later_s')} idle later. Work: {percent(_median(worst, 'invalidated_share'))} of the"
        f" tokens invalidated, {percent(_median(worst, 'again_share'))} computed again,"
        f" {_median(worst, 'steps') / _median(base, 'steps') - 1:+.2%} steps of"
        f" {both('tokens_per_step', number)} tokens, {both('unfinished', count)} unfinished requests."
    )
    if abs(ratios[key] - 1) > TARGET >= abs(alone - 1):
        share = more("first_handover_s") / more("completion_s")
        text += (
            f" **Why {percent(TARGET)} is missed**: {share:.0%} of the difference is the engine's idle time"
            " while the client tokenises, not the engine's work, which alone would be within it."
        )
    return text


def _times(shown: dict[Group, list[Run]]) -> str:
    headings = ["series", "throughput", "engine alone", "requests/s", "tokens/s"]
    headings += ["completion (s)", "first hand-over (s)", "busy (s)", "idle later (s)"]
    body = []
    for key, found in shown.items():
        low, high = (pick(run.throughput_ratio for run in found) for pick in (min, max))
        ratio = f"{_median(found, 'throughput_ratio'):.3f} ({low:.3f}..{high:.3f})" if key[3] else "1"
        alone = f"{_median(found, 'busy_ratio'):.3f}" if key[3] else "1"
        names = ("request_throughput", "token_throughput", "completion_s")
        names += ("first_handover_s", "busy_s", "idle_later_s")
        body.append([_series(key), ratio, alone, *(number(_median(found, name)) for name in names)])
    return table(headings, body, labels=1)


def _work(shown: dict[Group, list[Run]]) -> str:
    headings = ["series", "steps", "tokens per step", "invalidated", "again"]
    headings += ["preempted, recompute", "preempted, swap", "unfinished"]
    counts = ("preemptions_recompute", "preemptions_swap", "unfinished")
    body = [
        [
            _series(key),
            count(_median(found, "steps")),
            number(_median(found, "tokens_per_step")),
            percent(_median(found, "invalidated_share")),
            percent(_median(found, "again_share")),
            *(count(_median(found, name)) for name in counts),
        ]
        for key, found in shown.items()
    ]
    return table(headings, body, labels=1)


def _series(key: Group) -> str:
    return escape(key[2] if key[3] else f"{key[2]}, non-streaming")


def _median(found: list[Run], quantity: str) -> float:
    return statistics.median(map(QUANTITIES[quantity], found))


def _mean(found: list[Run], quantity: str) -> float:
    return statistics.fmean(map(QUANTITIES[quantity], found))


def _sizes(groups: dict[Group, list[Run]]) -> str:
    largest = {key[1]: found for key, found in sorted(groups.items(), key=lambda item: len(item[1]))}
    return "; ".join(
        f"{workload}: {largest[workload][0].requests:,} requests{_each(len(largest[workload]))}"
        for workload in sorted(largest, reverse=True)
    )


def _each(worlds: int) -> str:
    return f" in each of {worlds} worlds" if worlds > 1 else ""


def _csv(groups: dict[Group, list[Run]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for (hardware, workload, policy, stream), found in groups.items():
        for name, value in QUANTITIES.items():
            values = [*map(value, found)]
            numbers = [f"{each:.6g}" for each in (statistics.median(values), min(values), max(values))]
            writer.writerow([hardware, workload, policy, str(stream).lower(), name, len(found), *numbers])
    return text.getvalue()
