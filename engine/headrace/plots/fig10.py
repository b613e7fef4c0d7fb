"""Figure 10: how many chunks a query has, per workload."""

from pathlib import Path

import numpy as np

from headrace.plots.arrivals import read_arrivals
from headrace.plots.shares import Histogram, draw_histograms

TEXT = "Bars: share of the queries with so many chunks, world 0. A crawler query's search counts as a chunk."


def draw(workloads: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw how many queries have 1, 2, ... chunks per workload, published statistics above it.

    Writes `out_stem`.svg, .pdf and .png. Raises HeadraceError as `read_arrivals` does.
    """
    shown = read_arrivals(workloads, reference)
    most = max(
        *(int(world.max()) for arrivals in shown for world in arrivals.chunks),
        *(int(arrivals.published_chunks.get("max", 1)) for arrivals in shown),
    )
    edges = np.arange(most + 1) + 0.5
    panels = [Histogram(each, each.chunks, each.published_chunks, edges) for each in shown]
    draw_histograms(
        panels,
        out_stem,
        log=False,
        label="chunks per query",
        share="share of queries",
        text=TEXT,
        provenance=provenance,
    )
