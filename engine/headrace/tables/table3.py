"""Table 3: what eviction by recomputation, by swap or by cost does to TTFT under memory pressure."""

from pathlib import Path

import polars as pl

from headrace.tables.document import name_of, write_scored
from headrace.tables.latency import TTFT, latency_tables, with_series
from headrace.tables.markdown import heading
from headrace.tables.pressure import settings
from headrace.tables.scored import Calibration, score_cells

TITLE = "Table 3: eviction rules under memory pressure"
ABOUT = (
    "Waits are stretched so that open streams pile up in KV memory. cost_published compares the costs of a"
    " swap and of recomputation for the requesting request, as the artifact does; cost_victim, which is ours,"
    f" for the victim. Rows without a published line are predictions. {TTFT}"
)


def write(
    cells: list[Path], reference: list[Path], calibration: Calibration, out_stem: Path, provenance: str
) -> None:
    """Write the table of the cells with stretched waits: speedups, and the baselines' TTFT in seconds.

    Seconds of the other policies are in the CSV alone. Raises HeadraceError as `score_cells` does.
    """
    scored = score_cells(cells, reference, calibration, "table3")
    kept = (pl.col("policy") == "default_vllm") | pl.col("quantity").str.starts_with("speedup")
    parts = []
    for text, rows in settings(with_series(scored.rows.filter(kept))):
        parts += heading(text, latency_tables(rows, {"eviction": "eviction"}, name_of(scored)))
    write_scored(out_stem, TITLE, ABOUT, scored, provenance, parts)
