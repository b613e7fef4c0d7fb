"""Figure 12: tokens that updates invalidate per request, and how that compares to default streaming."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import FigureBase
from matplotlib.ticker import EngFormatter, FixedLocator

from headrace.plots.ccdf import curve, frame
from headrace.plots.cell_figure import CellFigure, Rates
from headrace.plots.cells import Grid
from headrace.plots.points import points
from headrace.plots.style import DEFAULT_STREAMING, Series, published_points

WORKLOAD = "anns"
STATISTICS = {
    "p50": ("P50", lambda tokens: np.percentile(tokens, 50)),
    "p95": ("P95", lambda tokens: np.percentile(tokens, 95)),
    "mean": ("mean", np.mean),
}
PUBLISHED = {f"invalidated_ratio_{name}": name for name in STATISTICS}
FEWEST_TOKENS = 100.0
MANY_TOKENS = 10_000
ASIDE = 0.22
SAYS = (
    "Tokens that were computed and then invalidated by an update, per request; without streaming there are"
    " none. Ratios: P50, P95 and mean over those of default_vllm, streaming, in the same world."
)


def draw(cells: list[Path], reference: list[Path], out_stem: Path, provenance: str) -> None:
    """Draw the CCDF of invalidated tokens (above), ratios to default streaming (below), a column per rate.

    Bands and whiskers are the 95 % prediction interval for one run; open markers are published ratios. A cell
    whose run log does not say how many tokens were invalidated is left out, and named. Writes `out_stem`.svg,
    .pdf and .png. Raises HeadraceError as `CellFigure.draw` does.
    """
    FIGURE.draw(cells, reference, out_stem, provenance)


def _panels(place: FigureBase, grid: Grid, rates: Rates) -> list[Axes]:
    chosen = rates[WORKLOAD]
    panels = place.subplots(2, len(chosen), sharex="row", sharey="row", squeeze=False, height_ratios=(1.3, 1))
    most = [_curves(axes, grid, qps) for axes, qps in zip(panels[0], chosen, strict=True)]
    for axes, qps in zip(panels[1], chosen, strict=True):
        _ratios(axes, grid, qps)
    frame(panels[0, 0], FEWEST_TOKENS, 1.1 * max(most))
    panels[0, 0].xaxis.set_major_formatter(EngFormatter(sep=""))
    panels[0, 0].set_ylabel("fraction with more")
    panels[1, 0].set_ylabel("ratio to\ndefault streaming")
    return list(panels.flat)


def _curves(axes: Axes, grid: Grid, qps: float) -> float:
    """Draw one rate; the most tokens of a request."""
    most = FEWEST_TOKENS
    for series in grid.series(streaming_only=True):
        cell = grid.cell(WORKLOAD, qps, series)
        if cell and cell.invalidated_tokens:
            curve(axes, series, cell.invalidated_tokens, cell.overload)
            most = max(most, *(float(world.max()) for world in cell.invalidated_tokens))
    axes.set_title(f"{WORKLOAD}, {qps:g} QPS")
    axes.set_xlabel("invalidated tokens")
    return most


def _ratios(axes: Axes, grid: Grid, qps: float) -> None:
    axes.axhline(1.0, color=DEFAULT_STREAMING.colour, linewidth=0.8)
    others = [series for series in grid.series(streaming_only=True) if series != DEFAULT_STREAMING]
    for place, series in enumerate(others):
        shift = ASIDE * (place - (len(others) - 1) / 2)
        ratios = [ratio_to_default(grid, qps, series, name) for name in STATISTICS]
        overload = [ratio is not None and grid.cell(WORKLOAD, qps, series).overload for ratio in ratios]
        points(axes, series, [at + shift for at in range(len(ratios))], ratios, overload)
        published = {
            at + shift: ratio
            for at, quantity in enumerate(PUBLISHED)
            if (ratio := grid.published_value(WORKLOAD, qps, series, quantity)) is not None
        }
        published_points(axes, series, list(published), list(published.values()))
    axes.xaxis.set_major_locator(FixedLocator(range(len(STATISTICS))))
    axes.set_xticklabels([label for label, _ in STATISTICS.values()])
    axes.set_xlim(-0.5, len(STATISTICS) - 0.5)
    axes.margins(y=0.1)
    axes.grid(False, axis="x")


def ratio_to_default(grid: Grid, qps: float, series: Series, statistic: str) -> np.ndarray | None:
    """A statistic of invalidated tokens over default streaming's, world by world.

    None where one of them is missing or not known, or where world 0 gives no positive number.
    """
    cell, default = grid.cell(WORKLOAD, qps, series), grid.cell(WORKLOAD, qps, DEFAULT_STREAMING)
    if not (cell and default and cell.invalidated_tokens and default.invalidated_tokens):
        return None
    _, of = STATISTICS[statistic]
    ours, theirs = (np.array([of(world) for world in x.invalidated_tokens]) for x in (cell, default))
    there = (ours > 0) & (theirs > 0)
    return ours[there] / theirs[there] if there[0] else None


def _finding(grid: Grid) -> str:
    """Share of requests above `MANY_TOKENS` in world 0, and the cells whose tokens are not known."""
    cells = {
        (qps, series.label): cell
        for qps in grid.rates(WORKLOAD)
        for series in grid.series(streaming_only=True)
        if (cell := grid.cell(WORKLOAD, qps, series)) is not None
    }
    known = [cell.invalidated_tokens[0] for cell in cells.values() if cell.invalidated_tokens]
    shares = [100.0 * float(np.mean(tokens > MANY_TOKENS)) for tokens in known]
    said = []
    if shares:
        low, high = min(shares), max(shares)
        said.append(f"Requests with more than {MANY_TOKENS:,}: {low:.0f} to {high:.0f} %.")
    unknown = [
        f"{label} at {qps:g} QPS" for (qps, label), cell in cells.items() if not cell.invalidated_tokens
    ]
    if unknown:
        said.append(f"Left out, since the log does not say how many: {'; '.join(unknown)}.")
    return " ".join(said)


FIGURE = CellFigure(
    panels=_panels,
    height_in=lambda workloads: 4.4,
    says=SAYS,
    workloads=(WORKLOAD,),
    streaming_only=True,
    drawn="Lines and points",
    spread=("band", "whiskers"),
    quantities=tuple(PUBLISHED),
    finding=_finding,
)
