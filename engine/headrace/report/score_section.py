"""The scorecard summed up for the front page: roles apart, the null baseline beside, worst rows shown."""

import polars as pl

from headrace.report.page import element, text
from headrace.report.parts import definitions, grid, section
from headrace.scorecard.summary import ROLES, summarise, worst
from headrace.tables.markdown import number, percent

EXPLANATION = (
    "Errors are relative to the published number: median and 90th percentile of their absolute values. Null"
    " is the error of a baseline without a simulator; inside is the share of published numbers in our 95 %"
    " prediction interval. The roles are never added up. Every row, with its interval, is under Results,"
    " Scorecard."
)


def score_section(scorecard: pl.DataFrame) -> str:
    """Markup: errors by role, workload and family of quantities, the worst rows, and what is not judged."""
    groups = summarise(scorecard)
    parts = [element("p", text(EXPLANATION))]
    for role, title in ROLES.items():
        of_role = groups.filter(role=role)
        if not of_role.is_empty():
            parts += [element("h3", text(title)), _errors(of_role, role)]
    for workload in scorecard["workload"].drop_nulls().unique().sort():
        rows = worst(scorecard, workload)
        if not rows.is_empty():
            title = f"Worst seen rows, {workload} (without speedups: they restate the seconds)"
            parts += [element("h3", text(title)), _rows(rows)]
    parts += [element("h3", "Rows"), definitions(_counts(scorecard))]
    return section("Scorecard", "\n".join(parts))


def _errors(groups: pl.DataFrame, role: str) -> str:
    null = ("null median", "null P90") if role == "seen" else ()
    inside = ("inside",) if role != "input" else ()
    rows = []
    for group in groups.iter_rows(named=True):
        fields = [group["workload"], group["artifact"], group["family"], str(group["rows"])]
        fields += [percent(group["median"]), percent(group["p90"])]
        if null:
            fields += [percent(group["null_median"]), percent(group["null_p90"])]
        if inside:
            fields.append(percent(group["inside"] / group["judged"]) if group["judged"] else "-")
        rows.append(fields)
    head = ("workload", "artifact", "quantity", "rows", "median", "P90", *null, *inside)
    return grid(head, rows, numbers=len(head) - 3)


def _rows(rows: pl.DataFrame) -> str:
    lines = []
    for row in rows.iter_rows(named=True):
        policy = row["policy"] if row["stream"] else f"{row['policy']} non-streaming"
        low, high = row["pi_low"], row["pi_high"]
        lines.append(
            (
                f"{row['setting']}, {row['qps']:g} queries/s, {policy}",
                row["quantity"],
                number(row["published"]),
                number(row["reproduced"]),
                "-" if low is None else f"{number(low)} to {number(high)}",
                _signed(row["rel_error"]),
                _signed(row["null_error"]),
            )
        )
    head = ("cell", "quantity", "published", "ours", "95 % interval", "error", "null error")
    return grid(head, lines, numbers=5)


def _counts(scorecard: pl.DataFrame) -> dict[str, str]:
    verdict = scorecard["verdict"].fill_null("")
    found = {
        "All": scorecard.height,
        "Held out: no published number here yet": (scorecard["role"] == "held_out").sum(),
        "Excluded from verdicts": (verdict == "excluded").sum(),
        "Missing: published, not reproduced": (verdict == "missing").sum(),
    }
    return {what: f"{rows:,}" for what, rows in found.items()}


def _signed(share: float | None) -> str:
    return "-" if share is None else f"{share:+.0%}"
