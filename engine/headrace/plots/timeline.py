"""Timeline of one world: what every request waited for, over the KV pool and the token budget."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from headrace.errors import HeadraceError, nearest
from headrace.files import atomic
from headrace.plots.style import FORMATS, TTFT, WITHOUT_DATES, drawing, note
from headrace.plots.timeline_panels import budget, pools
from headrace.sim.record import (
    OUT,
    QUEUED,
    RECOMPUTED,
    RUNNING,
    SWAPPED,
    WAITING,
    Recorder,
    Span,
    Step,
    Track,
)

ROWS = 60
EVICTED_ROWS = 40  # of these, where there is a choice
ROW_IN = 0.078


@dataclass(frozen=True, slots=True)
class Look:
    """A state's colour (Okabe and Ito, lightness differs in grey, too), and its height in a row."""

    colour: str
    height: float


LOOKS = {
    WAITING: Look("#C9C9C9", 0.16),
    QUEUED: Look("#F0C24B", 0.50),
    RUNNING: Look("#003F6B", 0.86),
    RECOMPUTED: Look("#D55E00", 0.62),
    SWAPPED: Look("#CC79A7", 0.62),
}
FIRST_TOKEN = {"marker": "o", "color": "white", "markeredgecolor": "black", "linestyle": "none"}
HAND_OVER = {"marker": "|", "color": "black", "linestyle": "none"}


def check_file(out: Path) -> None:
    """Raise HeadraceError for a file whose ending names no format that is written."""
    if out.suffix.removeprefix(".") not in FORMATS:
        remedy = nearest(out.suffix.removeprefix("."), FORMATS)
        raise HeadraceError(out, f"{out.suffix or 'no ending'} is no picture format", remedy)


def draw(
    record: Recorder,
    requests: pl.DataFrame,
    token_budget: int,
    out: Path,
    title: str,
    provenance: str,
    window: tuple[float, float] | None = None,
) -> None:
    """Draw what `record` saw of one world, whose rows of the requests table are `requests`, to `out`.

    Top: one row per request, spans by state from the query's start to its end, a tick at the return of
    every hand-over, a circle at the first token. Below: KV blocks held, and new tokens of every step.
    The first 60 requests are shown or, in a `window` (start, end) of the clock in seconds, 60 of those
    that are there then, evenly spaced, up to 40 of them evicted in that time. Same input, same SVG bytes.

    Raises HeadraceError for an unknown format and for a window without any request.
    """
    check_file(out)
    shown, selection = _shown(record, requests, window, out)
    start_s, end_s = window or (shown["arrival_s"].min(), shown["finished_s"].max())
    margin_s = 0.0 if window else 0.01 * (end_s - start_s)
    host = any(step.host_blocks for step in record.steps)  # at any time, so that windows look alike
    panels = [max(ROW_IN * shown.height, 0.8), 0.85, *([0.6] if host else []), 0.85]
    with drawing(height_in=sum(panels) + 1.5) as figure:
        rows, pool, *swap, tokens = figure.subplots(len(panels), 1, sharex=True, height_ratios=panels)
        rows.set_title(title)
        rows.set_xlim(start_s - margin_s, end_s + margin_s)
        states = _requests(rows, record, shown, (start_s, end_s))
        steps = _steps_around(record.steps, start_s - margin_s, end_s + margin_s)
        pools(pool, swap, steps, record.ledger)
        budget(tokens, steps, token_budget)
        tokens.set_xlabel("time of the engine's clock (s)")
        figure.align_ylabels()
        _legend(figure, states)
        note(figure, f"{TTFT}\n{selection} Lower panels: all requests.\n{provenance}.")
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        with atomic(out) as temporary:
            suffix = out.suffix.removeprefix(".")
            figure.savefig(temporary, format=suffix, metadata=WITHOUT_DATES[suffix])


def _shown(
    record: Recorder, requests: pl.DataFrame, window: tuple[float, float] | None, out: Path
) -> tuple[pl.DataFrame, str]:
    """The requests that get a row, by query start, and a sentence on how they were chosen."""
    requests = requests.sort("arrival_s", "request_id")
    if window is None:
        shown = requests.head(ROWS)
        return shown, f"Rows: the first {shown.height:,} of {requests.height:,} requests."
    there = requests.filter(pl.col("arrival_s") < window[1], pl.col("finished_s") > window[0])
    if there.is_empty():
        problem = f"no request is there from {window[0]:g} to {window[1]:g} s"
        raise HeadraceError(out, problem, f"the run ends at {requests['finished_s'].max():.0f} s")
    out_then = pl.Series([_evicted(record.tracks[number], window) for number in there["request_id"]])
    evicted, others = there.filter(out_then), there.filter(~out_then)
    most = max(EVICTED_ROWS, ROWS - others.height)
    chosen = [_spaced(evicted, most)]
    chosen.append(_spaced(others, ROWS - chosen[0].height))
    counts = [
        f"{part.height:,} of {whole.height:,} {what}"
        for part, whole, what in zip(chosen, (evicted, others), ("evicted", "other"), strict=True)
    ]
    return pl.concat(chosen).sort(
        "arrival_s", "request_id"
    ), f"Rows: of the requests of this time, {' and '.join(counts)} ones."


def _steps_around(steps: list[Step], start_s: float, end_s: float) -> list[Step]:
    """Those of a time, the one before and the one after: blocks are held between steps, too."""
    first = bisect_right(steps, start_s, key=lambda step: step.end_s)
    last = bisect_left(steps, end_s, key=lambda step: step.start_s)
    return steps[max(first - 1, 0) : last + 1]


def _evicted(track: Track, window: tuple[float, float]) -> bool:
    return any(
        span.state in OUT.values() and span.start_s < window[1] and span.end_s > window[0]
        for span in track.spans
    )


def _spaced(table: pl.DataFrame, rows: int) -> pl.DataFrame:
    """At most so many rows, evenly spaced."""
    return table[np.linspace(0, table.height - 1, min(rows, table.height)).astype(int)]


def _requests(axes: Axes, record: Recorder, shown: pl.DataFrame, seen: tuple[float, float]) -> list[str]:
    """Draw the rows; returns the states that occur."""
    boxes = {state: [] for state in LOOKS}
    ticks = []
    for row, (request_id, arrival_s) in enumerate(shown.select("request_id", "arrival_s").iter_rows()):
        track = record.tracks[request_id]
        opened = Span(WAITING, arrival_s, track.hand_overs_s[0])
        for state, start_s, end_s in (opened, *track.spans):
            if end_s > seen[0] and start_s < seen[1]:
                boxes[state].append(_box(row, start_s, end_s, LOOKS[state].height))
        ticks += [(time_s, row) for time_s in track.hand_overs_s if seen[0] <= time_s <= seen[1]]
    for layer, (state, corners) in enumerate(boxes.items()):
        colour = LOOKS[state].colour
        axes.add_collection(
            PolyCollection(corners, facecolors=colour, edgecolors=colour, linewidths=0.35, zorder=2 + layer)
        )
    if ticks:
        axes.plot(*zip(*ticks, strict=True), **HAND_OVER, markersize=4.2, markeredgewidth=0.55, zorder=8)
    first = list(enumerate(shown["first_token_s"]))
    axes.plot(
        [s for _, s in first],
        [row for row, _ in first],
        **FIRST_TOKEN,
        markersize=3.4,
        markeredgewidth=0.7,
        zorder=9,
    )
    axes.set_ylim(shown.height - 0.4, -0.6)
    axes.set_ylabel("requests, by query start")
    axes.set_yticks([])
    axes.grid(False, axis="y")
    return [state for state, corners in boxes.items() if corners]


def _box(row: int, start_s: float, end_s: float, height: float) -> list[tuple[float, float]]:
    low, high = row - height / 2, row + height / 2
    return [(start_s, low), (end_s, low), (end_s, high), (start_s, high)]


def _legend(figure: Figure, states: list[str]) -> None:
    handles = [
        Line2D([], [], color=LOOKS[s].colour, linewidth=11 * LOOKS[s].height, solid_capstyle="butt")
        for s in states
    ]
    handles += [Line2D([], [], **HAND_OVER, markersize=6), Line2D([], [], **FIRST_TOKEN, markersize=4)]
    labels = [*states, "chunk handed over", "first token"]
    tight = {"columnspacing": 1.6, "handlelength": 1.8}
    figure.legend(handles, labels, loc="outside upper center", ncols=5 if len(labels) == 5 else 4, **tight)
