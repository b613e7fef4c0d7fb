"""Targets under memory pressure: collapse, speedups, preemptions, swaps, concurrency."""

from collections.abc import Iterator

import polars as pl

from headrace.fidelity import floor as floors
from headrace.fidelity import rows as select
from headrace.fidelity.target import ROUNDING, Target, share_right, within
from headrace.tables.markdown import number

ERROR = 0.35
FACTOR = 2.0
SHARE_POINTS = 0.10
CONCURRENT_ERROR = 0.10
TWO_PHASE = ("fcfs", "lcas")


def collapse(card: pl.DataFrame, floor: pl.DataFrame | None, workload: str) -> Target:
    """How slow naive streaming gets at P99; the policies' gain over it is a target of its own."""
    rows = select.pressure(select.counted(card), workload).filter(
        policy="default_vllm", stream=True, quantity="ttft_p99_s"
    )
    return within(
        rows,
        ERROR,
        floor,
        name="collapse of naive streaming under pressure",
        workload=workload,
        how="P99 of default streaming in seconds, cost and recompute: each within 35 %; a calibrated one is"
        " left out",
    )


def speedups(card: pl.DataFrame, floor: pl.DataFrame | None, workload: str) -> Target:
    """FCFS and LCAS against default streaming."""
    quantities = ["speedup_vs_streaming_p95", "speedup_vs_streaming_p99"]
    rows = select.pressure(select.counted(card), workload).filter(
        pl.col("policy").is_in(TWO_PHASE), pl.col("quantity").is_in(quantities)
    )
    return within(
        rows,
        ERROR,
        floor,
        name="speedups of FCFS and LCAS under pressure",
        workload=workload,
        how="against default streaming at P95 and P99, cost and recompute: each within 35 %",
    )


def collapses(card: pl.DataFrame, workload: str) -> Iterator[Target]:
    """By how much streaming naively is slower than not streaming, at P99; no target."""
    rows = select.pressure(select.comparable(card), workload).filter(
        policy="default_vllm", quantity="ttft_p99_s"
    )
    for (setting,), both in rows.sort("setting").group_by("setting", maintain_order=True):
        streaming, whole = (both.filter(stream=stream) for stream in (True, False))
        if streaming.is_empty() or whole.is_empty():
            continue
        ratios = {column: streaming[column][0] / whole[column][0] for column in ("published", "reproduced")}
        fitted = ", calibrated" * (streaming["role"][0] == "calibrated")
        seconds = (
            f"{number(streaming['published'][0])} s published, {number(streaming['reproduced'][0])} s ours"
        )
        yield Target(
            name=f"error of P99, default streaming over non-streaming, {setting}{fitted}",
            workload=workload,
            value=abs(ratios["reproduced"] / ratios["published"] - 1),
            bound=None,
            how=f"{ratios['published']:.2f} published, {ratios['reproduced']:.2f} ours; streaming: {seconds}",
            rows=1,
        )


def preemptions(card: pl.DataFrame, floor: pl.DataFrame | None, workload: str) -> Target:
    """Preemptions of one run."""
    rows = select.pressure(select.counted(card), workload).filter(quantity="preemptions")
    ours, published = pl.col("reproduced"), pl.col("published")
    return share_right(
        rows,
        (ours <= FACTOR * published * (1 + ROUNDING)) & (published <= FACTOR * ours * (1 + ROUNDING)),
        name="preemptions by policy",
        workload=workload,
        bound=1.0,
        how="each count within a factor 2, cost and recompute; the calibrated one is left out",
        floor=floors.spread(floor, rows, (1 + pl.col("error")).is_between(1 / FACTOR, FACTOR).mean()),
    )


def swap_share(card: pl.DataFrame, floor: pl.DataFrame | None, workload: str) -> Target:
    """Swaps among preemptions, eviction by cost."""
    rows = select.counted(card).filter(
        setting=select.PRESSURE[workload][0], workload=workload, quantity="swap_share"
    )
    return share_right(
        rows,
        (pl.col("reproduced") - pl.col("published")).abs() <= SHARE_POINTS + ROUNDING,
        name="share of swaps under cost",
        workload=workload,
        bound=1.0,
        how="each policy within 10 points",
        floor=floors.spread(floor, rows, (pl.col("error").abs() <= SHARE_POINTS).mean()),
    )


def concurrent(card: pl.DataFrame, floor: pl.DataFrame | None, workload: str) -> Target:
    """Ongoing queries at preemption."""
    rows = select.pressure(select.counted(card), workload).filter(quantity="concurrent_requests_p50")
    return within(
        rows,
        CONCURRENT_ERROR,
        floor,
        name="concurrent requests at preemption, P50",
        workload=workload,
        how="the client's count, cost and recompute: each policy within 10 %",
    )
