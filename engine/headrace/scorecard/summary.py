"""A scorecard summed up for the terminal."""

from pathlib import Path

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from headrace.files import read_json
from headrace.scorecard.score import read

FAMILIES = {
    r"^ttft_p(50|95|99)_s$": "TTFT P50 P95 P99",
    r"^ttft_p99\.9_s$": "TTFT P99.9",
    r"^speedup_": "speedup",
    r"^preemptions": "preemptions",
    r"^swap_share$": "share of swaps",
    r"^concurrent_requests_": "concurrent requests",
    r"^invalidated_ratio_": "invalidated tokens",
}
ROLES = {
    "seen": "Seen: could be looked at while building, and no fit did",
    "calibrated": "Calibrated: a fit may look at these",
    "input": "Input: a generator was told these, or they follow from the settings",
}
WORST = 5


def summarise(scorecard: pl.DataFrame) -> pl.DataFrame:
    """Per role, workload, artifact and family of quantities: rows, errors beside the null's, rows inside.

    `median`, `p90`: of the absolute relative error; `null_median`, `null_p90`: of the null baseline over its
    `null_rows`; `judged`: rows with a verdict inside or outside. Missing and excluded rows are left out.
    """
    shown = scorecard.filter(
        pl.col("published").is_not_null(), ~pl.col("verdict").fill_null("").is_in(["missing", "excluded"])
    )
    error, null_error = pl.col("rel_error").abs(), pl.col("null_error").abs()
    return (
        with_family(shown)
        .group_by("role", "workload", "artifact", "family", maintain_order=True)
        .agg(
            rows=pl.len(),
            median=error.median(),
            p90=error.quantile(0.9, "linear"),
            null_rows=null_error.count(),
            null_median=null_error.median(),
            null_p90=null_error.quantile(0.9, "linear"),
            judged=pl.col("verdict").is_in(["inside", "outside"]).sum(),
            inside=(pl.col("verdict") == "inside").sum(),
        )
        .sort("role", "workload", "artifact", "family")
    )


def with_family(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with a column `family`: what of `FAMILIES` their quantity is, else statistics of a workload."""
    family = pl.lit("statistics")
    for pattern, name in reversed(FAMILIES.items()):
        family = pl.when(pl.col("quantity").str.contains(pattern)).then(pl.lit(name)).otherwise(family)
    return rows.with_columns(family=family)


def worst(scorecard: pl.DataFrame, workload: str, count: int = WORST) -> pl.DataFrame:
    """The `count` seen rows of `workload` with the largest absolute relative error.

    Speedups are left out, since they restate the seconds, and so are excluded rows.
    """
    kept = scorecard.filter(
        pl.col("rel_error").is_not_null(),
        pl.col("verdict").fill_null("") != "excluded",
        ~pl.col("quantity").str.starts_with("speedup"),
        role="seen",
        workload=workload,
    )
    return kept.sort(pl.col("rel_error").abs(), descending=True, maintain_order=True).head(count)


def print_summary(scorecard: Path, console: Console) -> None:
    """Print the scorecard's summary: where the numbers come from, errors by role, and the worst rows.

    Backend and performance models are read from the study's cells of the scorecard's backend.
    """
    table, provenance = read(scorecard), _provenance(_cells(scorecard.parent))
    console.print(f"[bold]Scorecard[/bold] {scorecard}", highlight=False)
    console.print(
        f"Reproduced numbers are {provenance}. Errors are relative to the published number; null is the"
        " error of a baseline without a simulator; inside counts published numbers in our 95% prediction"
        " interval.\n",
        highlight=False,
    )
    groups = summarise(table)
    for role, title in ROLES.items():
        of_role = groups.filter(role=role)
        if not of_role.is_empty():
            console.print(f"[bold]{title}[/bold]")
            console.print(_errors(of_role, judged=role != "input", beside_null=role == "seen"))
    for workload in table["workload"].unique().sort():
        rows = worst(table, workload)
        if not rows.is_empty():
            console.print(
                f"[bold]Worst seen rows, {workload}[/bold] (without speedups: they restate the seconds)"
            )
            console.print(_rows(rows, with_intervals=console.width >= 100))
    console.print(_counts(table), highlight=False)


def _cells(folder: Path) -> Path:
    """The simulator's scorecard lies in the study's folder, that of another backend in one of its name."""
    simulated = folder / "cells" / "backend=sim"
    return simulated if simulated.is_dir() else folder.parent / "cells" / f"backend={folder.name}"


def _provenance(cells: Path) -> str:
    found = [read_json(cell) for cell in sorted(cells.rglob("cell.json"))]
    if not found:
        return f"of unknown origin: {cells} holds no cell.json"
    if cells.name == "backend=published":
        return f"read from {len(found)} run logs of the study, one run per cell and so no interval"
    models = sorted({Path(cell["perf_model"]["file"]).stem for cell in found})
    return f"simulated, with performance models {' and '.join(models)}"


def _errors(groups: pl.DataFrame, judged: bool, beside_null: bool) -> Table:
    table = _table(("workload", "artifact", "quantity"))
    null = ("null", "null P90") if beside_null else ()
    for heading in ("rows", "median", "P90", *null, *(("inside",) if judged else ())):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in groups.iter_rows(named=True):
        fields = [row["workload"], row["artifact"], row["family"], str(row["rows"])]
        fields += [_percent(row["median"]), _percent(row["p90"])]
        if beside_null:
            fields += [_percent(row["null_median"]), _percent(row["null_p90"])]
        if judged:
            fields.append(_percent(row["inside"] / row["judged"]) if row["judged"] else "-")
        table.add_row(*fields)
    return table


def _rows(rows: pl.DataFrame, with_intervals: bool) -> Table:
    table = _table(("cell", "quantity"))
    for heading in ("published", "ours", *(("95% PI",) if with_intervals else ()), "error", "null"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows.iter_rows(named=True):
        policy = row["policy"] if row["stream"] else f"{row['policy']} non-streaming"
        fields = [f"{row['setting']}, {row['qps']:g} QPS, {policy}", row["quantity"]]
        fields += [_number(row["published"]), _number(row["reproduced"])]
        if with_intervals:
            low, high = row["pi_low"], row["pi_high"]
            fields.append("-" if low is None else f"{_number(low)}..{_number(high)}")
        table.add_row(*fields, _signed(row["rel_error"]), _signed(row["null_error"]))
    return table


def _table(texts: tuple[str, ...]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in texts:
        table.add_column(heading, overflow="fold")
    return table


def _counts(table: pl.DataFrame) -> str:
    verdict = table["verdict"].fill_null("")
    counts = {
        "rows": table.height,
        "held out (no published number here yet)": (table["role"] == "held_out").sum(),
        "excluded from verdicts": (verdict == "excluded").sum(),
        "published, not reproduced": (verdict == "missing").sum(),
    }
    return "; ".join(f"{count} {what}" for what, count in counts.items())


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _percent(share: float | None) -> str:
    if share is None:
        return "-"
    return f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _signed(share: float | None) -> str:
    return "-" if share is None else f"{share:+.0%}"
