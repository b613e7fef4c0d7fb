"""A figure of cells twice, on the same axes with one legend: simulated, and from the study's run logs."""

from pathlib import Path

from matplotlib.axes import Axes

from headrace.errors import HeadraceError, nearest
from headrace.plots import fig5, fig6, fig7, fig11, fig12
from headrace.plots.cells import main_grid
from headrace.plots.style import WIDTH_IN, drawing, note, save

FIGURES = {
    "fig5": fig5.FIGURE,
    "fig6": fig6.FIGURE,
    "fig7": fig7.FIGURE,
    "fig11": fig11.FIGURE,
    "fig12": fig12.FIGURE,
}
BACKENDS = {"simulated": "sim", "logs": "published"}


def draw(
    simulated: list[Path],
    logs: list[Path],
    reference: list[Path],
    out_stem: Path,
    provenance: dict[str, str],
    figure: str,
) -> None:
    """Draw `figure` from simulated cells and from those of run logs: side by side, wide ones stacked.

    `provenance` has the heading of each side, simulated first, and where its numbers come from. Panels that
    answer each other have the same limits. Writes `out_stem`.svg, .pdf and .png. Raises HeadraceError as
    `CellFigure.draw` does, for an unknown figure, and for cells of another backend than their side's.
    """
    if figure not in FIGURES:
        raise HeadraceError("figure", f"{figure!r} is not drawn side by side", nearest(figure, FIGURES))
    chosen = FIGURES[figure]
    grids = []
    for (side, backend), cells in zip(BACKENDS.items(), (simulated, logs), strict=True):
        grids.append(main_grid(cells, reference, place=f"{figure}, {side}"))
        if grids[-1].backend != backend:
            problem = f"cells have backend={grids[-1].backend}"
            raise HeadraceError(f"{figure}, {side}", problem, f"give cells with backend={backend}")
    rates = chosen.rates(grids)
    panels, layout = (chosen.half, (1, 2)) if chosen.half else (chosen.panels, (2, 1))
    height_in = 2 * chosen.height_in(len(rates)) * (0.85 if chosen.half else 0.9)
    with drawing(WIDTH_IN, height_in) as whole:
        sides = []
        for place, grid, heading in zip(whole.subfigures(*layout).flat, grids, provenance, strict=True):
            place.suptitle(heading, fontsize=9.0, fontweight="bold")
            sides.append(panels(place, grid, rates))
        _share_limits(*sides)
        chosen.legend(whole, grids)
        about = [
            f"{heading[:1].upper()}{heading[1:]}: {line}"
            for grid, (heading, text) in zip(grids, provenance.items(), strict=True)
            for line in [" ".join(filter(None, chosen.about(grid, text)))]
        ]
        note(whole, chosen.says, *about)
        save(whole, out_stem)


def _share_limits(left: list[Axes], right: list[Axes]) -> None:
    for name in ("xlim", "ylim"):
        pairs = [
            (one, other, getattr(one, f"get_{name}")(), getattr(other, f"get_{name}")())
            for one, other in zip(left, right, strict=True)
        ]
        for one, other, ours, theirs in pairs:
            shared = (min(ours[0], theirs[0]), max(ours[1], theirs[1]))
            for axes in (one, other):
                getattr(axes, f"set_{name}")(*shared)
