"""Targets on the main grid: errors, intervals, signs and order."""

import math

import polars as pl

from headrace.fidelity import floor as floors
from headrace.fidelity import rows as select
from headrace.fidelity.target import ROUNDING, Target, quantile_of, share_right
from headrace.tables.markdown import number, percent

QUANTILES = {"median": 0.5, "P90": 0.9}
ERRORS = {"crawler": {"median": 0.08, "P90": 0.25}, "anns": {"median": 0.08, "P90": 0.20}}
OF_NULL = 0.5
INSIDE = 0.85
NORMAL_95 = 1.96
"""Half of a 95 % interval, in standard deviations."""
ORDERS = {
    "crawler": (("fcfs", "lcas"), ("default_vllm",), ("mcps",), ("non-streaming",)),
    "anns": (("fcfs", "lcas", "default_vllm"), ("mcps",), ("non-streaming",)),
}
"""By P95 at the highest rate, fastest first; within a group the order is free."""


def error(card: pl.DataFrame, floor: pl.DataFrame | None, what: str, workload: str) -> Target:
    """Median or P90 of the absolute relative error."""
    rows = select.main_grid(select.counted(card), workload)
    quantile = QUANTILES[what]
    return Target(
        name=f"{what} of |relative error|, main grid",
        workload=workload,
        value=quantile_of(rows["rel_error"], quantile),
        bound=ERRORS[workload][what],
        how="TTFT P50, P95, P99 in seconds, H200, calibrated rows left out; null and floor on the same rows",
        rows=rows.height,
        null=quantile_of(rows["null_error"], quantile),
        floor=floors.spread(floor, rows, floors.quantile(quantile)),
    )


def against_null(card: pl.DataFrame, workload: str) -> Target:
    """Our median error over the null baseline's."""
    rows = select.main_grid(select.counted(card), workload).drop_nulls("null_error")
    ours, null = (quantile_of(rows[column], 0.5) for column in ("rel_error", "null_error"))
    return Target(
        name="median error over that of the null baseline",
        workload=workload,
        value=ours / null if ours is not None and null else None,
        bound=OF_NULL if workload == "crawler" else None,
        how="ratio of the two medians, on the rows of the error",
        rows=rows.height,
        misses=()
        if ours is None or null is None
        else (f"median {percent(ours)} ours, {percent(null)} null",),
    )


def inside(card: pl.DataFrame, workload: str) -> Target:
    """Published values inside our prediction interval."""
    rows = select.main_grid(select.counted(card), workload).drop_nulls("pi_low")
    return share_right(
        rows,
        pl.col("verdict") == "inside",
        name="published values inside our 95% prediction interval, main grid",
        workload=workload,
        bound=INSIDE,
        how="the rows of the error",
    )


def inside_widened(card: pl.DataFrame, workload: str) -> Target:
    """Published values inside an interval that holds the model's own error, too; no target."""
    rows = select.main_grid(select.comparable(card), workload).filter(pl.col("pi_low") > 0)
    error = model_error(rows.filter(role="calibrated"))
    seen = rows.filter(role="seen") if error is not None else rows.clear()
    half = (_log_half_width() ** 2 + (NORMAL_95 * (error or 0.0)) ** 2).sqrt()
    middle = (pl.col("pi_low").log() + pl.col("pi_high").log()) / 2
    return share_right(
        seen,
        (pl.col("published").log() - middle).abs() <= half + ROUNDING,
        name="published values inside the interval widened by the model's own error, main grid",
        workload=workload,
        bound=None,
        how=f"the rows of the error; the model's own error, from the calibrated rows: {percent(error)}",
        listed=False,
    )


def model_error(rows: pl.DataFrame) -> float | None:
    """How far ours is from published beyond the spread over worlds: a standard deviation of the logarithm.

    The root of the mean over `rows` of log(reproduced / published) squared less the variance for which the
    95 % interval stands, as that of a normal distribution. Each row has the weight 1 / that variance, so
    that tails, which are luck, do not hide an error of quiet rows (DerSimonian and Laird, 1986, with a mean
    of 0). 0 where the spread explains all of it, None without a row that has a spread. Widen an interval by
    it in quadrature.
    """
    error = (pl.col("reproduced") / pl.col("published")).log()
    spread = _log_half_width() / NORMAL_95
    found = rows.select(error=error, variance=spread**2).filter(pl.col("variance") > 0)
    if found.is_empty():
        return None
    weight = 1 / found["variance"]
    beyond = (weight * (found["error"] ** 2 - found["variance"])).sum() / weight.sum()
    return math.sqrt(max(float(beyond), 0.0))


def _log_half_width() -> pl.Expr:
    return (pl.col("pi_high").log() - pl.col("pi_low").log()) / 2


def all_inside(card: pl.DataFrame, workload: str) -> Target:
    """The same over all seen rows; no target."""
    rows = select.counted(card).filter(
        pl.col("verdict").is_in(["inside", "outside"]),
        ~pl.col("quantity").str.starts_with("speedup"),
        workload=workload,
    )
    return share_right(
        rows,
        pl.col("verdict") == "inside",
        name="published values inside our interval, all seen rows",
        workload=workload,
        bound=None,
        how="every seen row with a verdict, without speedups",
        listed=False,
    )


def signs(card: pl.DataFrame, workload: str) -> Target:
    """Whether a policy is faster or slower than default streaming, as published."""
    quantities = [f"speedup_vs_streaming_{percentile}" for percentile in ("p50", "p95", "p99")]
    excludes_one = (pl.col("pi_low") > 1 + ROUNDING) | (pl.col("pi_high") < 1 - ROUNDING)
    rows = select.counted(card).filter(
        pl.col("quantity").is_in(quantities), excludes_one, workload=workload, hardware=select.HARDWARE
    )
    above = pl.col("pi_low") > 1
    return share_right(
        rows,
        pl.when(above).then(pl.col("published") > 1).otherwise(pl.col("published") < 1),
        name="sign of a policy's effect against default streaming",
        workload=workload,
        bound=1.0,
        how="speedups at P50, P95, P99, main grid and pressure, where our interval excludes 1",
    )


def order(card: pl.DataFrame, workload: str) -> Target:
    """The policies' order by P95; its value is the share of pairs that are in order."""
    rows = card.filter(
        pl.col("reproduced").is_not_null(),
        hardware=select.HARDWARE,
        workload=workload,
        setting="main",
        quantity="ttft_p95_s",
    )
    values = {
        row["policy"] if row["stream"] else "non-streaming": row["reproduced"]
        for row in rows.filter(pl.col("qps") == pl.col("qps").max()).iter_rows(named=True)
    }
    groups = ORDERS[workload]
    wrong, pairs = [], 0
    if values.keys() >= {name for group in groups for name in group}:
        for place, group in enumerate(groups):
            for later in (name for other in groups[place + 1 :] for name in other):
                pairs += len(group)
                wrong += [
                    f"{name} {number(values[name])} s, not below {later} {number(values[later])} s"
                    for name in group
                    if values[name] >= values[later]
                ]
    order = " < ".join("{" + ", ".join(group) + "}" if len(group) > 1 else group[0] for group in groups)
    return Target(
        name="order by P95 at the highest rate",
        workload=workload,
        value=(pairs - len(wrong)) / pairs if pairs else None,
        bound=1.0,
        how=f"pairs in the published order, calibrated rows among them: {order}",
        at_least=True,
        rows=pairs,
        right=pairs - len(wrong),
        misses=tuple(wrong),
    )
