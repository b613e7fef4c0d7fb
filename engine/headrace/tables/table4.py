"""Table 4: preemptions by kind under memory pressure, and how many queries are on their way then."""

from pathlib import Path

from headrace.tables.beside import beside
from headrace.tables.document import name_of, write_scored
from headrace.tables.markdown import captioned, heading
from headrace.tables.pressure import settings
from headrace.tables.scored import Calibration, score_cells

TITLE = "Table 4: preemptions under memory pressure"
ABOUT = (
    "Preemptions of one run by kind, and ongoing queries when a preempted request finishes, itself counted,"
    " one sample per preemption, as the published client counts them. cost_victim is ours. Rows without a"
    " published line are predictions."
)
LABELS = {"eviction": "eviction", "policy": "policy"}
KINDS = {
    "preemptions": "preemptions",
    "recompute": "preemptions_recompute",
    "swap": "preemptions_swap",
    "swap share": "swap_share",
}
CONCURRENT = {
    "P50": "concurrent_requests_p50",
    "P95": "concurrent_requests_p95",
    "mean": "concurrent_requests_mean",
}


def write(
    cells: list[Path], reference: list[Path], calibration: Calibration, out_stem: Path, provenance: str
) -> None:
    """Write the table of the cells with stretched waits. Raises HeadraceError as `score_cells` does."""
    scored = score_cells(cells, reference, calibration, "table4")
    name, parts = name_of(scored), []
    for text, rows in settings(scored.rows):
        counts = captioned("Preemptions in one run", beside(rows, LABELS, KINDS, name))
        concurrent = captioned("Concurrent requests at preemption", beside(rows, LABELS, CONCURRENT, name))
        parts += heading(text, [counts, concurrent])
    write_scored(out_stem, TITLE, ABOUT, scored, provenance, parts)
