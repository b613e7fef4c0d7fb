"""Figure 6: mean and P95 TTFT against the request rate, crawler."""

from pathlib import Path

from headrace.plots import ttft_by_rate


def draw(
    cells: list[Path], reference: list[Path], out_stem: Path, provenance: str, workload: str = "crawler"
) -> None:
    """Draw `ttft_by_rate.draw` for the crawler, or for another `workload`."""
    ttft_by_rate.draw(cells, reference, out_stem, provenance, workload)
