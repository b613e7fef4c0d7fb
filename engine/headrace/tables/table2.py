"""Table 2: sizes and durations of the replayed queries."""

from pathlib import Path

from headrace.scorecard.csv_rows import read_rows
from headrace.scorecard.reference import STATISTIC_COLUMNS
from headrace.tables.beside import beside
from headrace.tables.document import name_of, write_scored
from headrace.tables.markdown import captioned
from headrace.tables.scored import Calibration, score_workloads
from headrace.workload.quantities import statistics
from headrace.workload.table import read_table

TITLE = "Table 2: statistics of the workloads"
ABOUT = (
    "Final prompts in tokens, and the time from a query's start to its last chunk in seconds. Published: of"
    " the traces that have content, of anns those that are replayed. A generator is told these statistics, so"
    " agreement shows that it does as it is told."
)
QUANTITIES = {
    "Tokens per query": "total_tokens_per_query_{}",
    "Query duration (s)": "query_duration_{}_s",
}
STATISTICS = {"mean": "mean", "P50": "p50", "P75": "p75", "P95": "p95"}


def write(
    workloads: list[Path], reference: list[Path], calibration: Calibration, out_stem: Path, provenance: str
) -> None:
    """Write the table of the chunk tables `workloads`, each named like its workload.

    Raises HeadraceError as `score_workloads` does, and for a table that can't be read.
    """
    found = {path.stem: statistics(read_table(path)) for path in workloads}
    scored = score_workloads(found, reference, calibration, "table2")
    scored.sizes += _published_sizes(reference[0].parent)
    parts = ["## Published beside ours"]
    for caption, quantity in QUANTITIES.items():
        columns = {heading: quantity.format(statistic) for heading, statistic in STATISTICS.items()}
        parts.append(
            captioned(caption, beside(scored.rows, {"workload": "workload"}, columns, name_of(scored)))
        )
    write_scored(out_stem, TITLE, ABOUT, scored, provenance, parts)


def _published_sizes(reference: Path) -> list[str]:
    columns = STATISTIC_COLUMNS["table2"]
    rows = read_rows(reference / "workload_stats.csv", columns, ("workload", "quantity"))
    return sorted({f"published, {row.fields['workload']}: {row.number('n'):,.0f} queries" for row in rows})
