"""The numbers in the study's text: speedups of the main grid at every request rate, and their seconds."""

from pathlib import Path

from headrace.tables.document import name_of, write_scored
from headrace.tables.latency import TTFT, latency_tables, with_series
from headrace.tables.markdown import heading
from headrace.tables.scored import Calibration, score_cells

TITLE = "Inline numbers: TTFT and speedups of the main grid"
ABOUT = (
    f"Every policy at every request rate against streaming and non-streaming default_vllm. {TTFT} Published"
    " TTFT of fcfs, lcas and mcps is derived: streaming baseline over published speedup. Rows without a"
    " published line are predictions."
)


def write(
    cells: list[Path], reference: list[Path], calibration: Calibration, out_stem: Path, provenance: str
) -> None:
    """Write the table of the main grid's cells. Raises HeadraceError as `score_cells` does."""
    scored = score_cells(cells, reference, calibration, "inline")
    rows = with_series(scored.rows)
    parts = []
    for hardware in sorted(rows["hardware"].unique(), reverse=True):
        for workload in sorted(rows.filter(hardware=hardware)["workload"].unique(), reverse=True):
            shown = rows.filter(hardware=hardware, workload=workload)
            parts += heading(
                f"{workload}, {hardware}", latency_tables(shown, {"QPS": "qps"}, name_of(scored))
            )
    write_scored(out_stem, TITLE, ABOUT, scored, provenance, parts)
