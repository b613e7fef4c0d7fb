"""Figure 9: how long it takes from one chunk to the next, as a histogram per workload."""

import math
from pathlib import Path

import numpy as np

from headrace.plots.arrivals import Arrivals, read_arrivals
from headrace.plots.shares import Histogram, draw_histograms

BINS_PER_DECADE = 8
TEXT = (
    f"Bars: share of the gaps in bins of equal width on the log axis ({BINS_PER_DECADE} per decade), world 0."
)


def draw(workloads: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw a histogram of the gaps between chunks per workload, published statistics above it.

    Shares of gaps in logarithmic bins, the same for all panels; a gap of 0 s counts in the first bin.
    Writes `out_stem`.svg, .pdf and .png. Raises HeadraceError as `read_arrivals` does.
    """
    shown = read_arrivals(workloads, reference)
    edges = log_edges(shown)
    panels = [Histogram(each, each.gaps_s, each.published_gaps_s, edges) for each in shown]
    draw_histograms(
        panels,
        out_stem,
        log=True,
        label="gap between chunks (s)",
        share="share of gaps",
        text=TEXT,
        provenance=provenance,
    )


def log_edges(shown: list[Arrivals]) -> np.ndarray:
    """Edges (s) of the bins, whole multiples of 1 / BINS_PER_DECADE of a decade.

    They hold every positive gap and the published ends.
    """
    ends = [each.published_gaps_s[end] for each in shown for end in ("min", "max") if each.published_gaps_s]
    gaps_s = np.concatenate([ends, *(world for arrivals in shown for world in arrivals.gaps_s)])
    positive = gaps_s[gaps_s > 0]
    if not len(positive):
        return np.array([1e-3, 2e-3])
    first = math.floor(math.log10(positive.min()) * BINS_PER_DECADE)
    last = math.floor(math.log10(positive.max()) * BINS_PER_DECADE) + 1
    return 10.0 ** (np.arange(first, last + 1) / BINS_PER_DECADE)
