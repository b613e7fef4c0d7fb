"""Figure 6: mean and P95 TTFT against the request rate, crawler."""

from pathlib import Path

from headrace.plots.ttft_by_rate import figure_of

FIGURE = figure_of("crawler")


def draw(cells: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw `ttft_by_rate.figure_of` the crawler. Raises HeadraceError as `CellFigure.draw` does."""
    FIGURE.draw(cells, reference, out_stem, provenance)
