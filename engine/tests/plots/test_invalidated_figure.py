"""Figure 12: tokens invalidated per request, and the ratios to default streaming."""

import numpy as np
import pytest

from headrace.errors import HeadraceError
from headrace.plots import fig12
from headrace.plots.cells import main_grid
from headrace.plots.style import SERIES
from headrace.scorecard.intervals import prediction_interval

PROVENANCE = "simulated; performance model h200-tp2.made-up"
SERIES_OF = {series.policy: series for series in SERIES if series.stream}
ELEVEN = [0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 20_000]


@pytest.fixture
def invalidating(fabricate, with_values):
    """A cell of anns whose worlds invalidate the given tokens."""

    def write(policy, worlds, qps=0.25):
        cell = fabricate("anns", policy, qps, worlds=len(worlds), queries=len(worlds[0]))
        return with_values(cell, invalidated_tokens=[tokens for world in worlds for tokens in world])

    return write


def line_of(axes, series, **attributes):
    (line,) = [
        line
        for line in axes.lines
        if line.get_color() == series.colour
        and all(getattr(line, f"get_{name}")() == value for name, value in attributes.items())
    ]
    return line


def test_the_curve_is_the_fraction_of_requests_with_more(invalidating, reference, kept, tmp_path):
    cells = [invalidating("default_vllm", [ELEVEN]), invalidating("fcfs", [ELEVEN])]
    fig12.draw(cells, reference, tmp_path / "fig12", PROVENANCE)
    line = line_of(kept[0].axes[0], SERIES_OF["fcfs"])
    at = dict(zip(np.round(line.get_ydata(), 6), line.get_xdata(), strict=True))
    assert at[1.0] == 0
    assert at[0.1] == pytest.approx(900)  # one of eleven lies above
    assert at[0.01] == pytest.approx(900 + 0.9 * 19_100)
    assert "Requests with more than 10,000: 9 to 9 %." in kept[0].get_supxlabel()


def test_ratios_are_taken_within_a_world_and_published_ones_stand_beside(
    invalidating, reference, kept, tmp_path
):
    worlds = [ELEVEN, [2 * tokens for tokens in ELEVEN], [3 * tokens for tokens in ELEVEN]]
    factors = (1.1, 1.2, 0.9)
    ours = [[f * tokens for tokens in world] for f, world in zip(factors, worlds, strict=True)]
    cells = [invalidating("default_vllm", worlds), invalidating("fcfs", ours)]
    fig12.draw(cells, reference, tmp_path / "fig12", PROVENANCE)
    ratios = kept[0].axes[1]
    points = line_of(ratios, SERIES_OF["fcfs"], markerfacecolor=SERIES_OF["fcfs"].colour)
    assert list(points.get_ydata()) == pytest.approx([1.1] * 3)
    published = line_of(ratios, SERIES_OF["fcfs"], markerfacecolor="none")
    assert list(published.get_ydata()) == [1.014, 1.0, 0.999]  # P50, P95, mean at 0.25 QPS
    assert list(published.get_xdata()) == pytest.approx(points.get_xdata())
    low, high = prediction_interval(np.array(factors))
    (whiskers,) = ratios.collections
    assert [(s[0][1], s[1][1]) for s in whiskers.get_segments()] == [pytest.approx((low, high))] * 3


def test_non_streaming_is_not_drawn(invalidating, fabricate, reference, kept, tmp_path):
    cells = [
        invalidating("default_vllm", [ELEVEN]),
        fabricate("anns", "default_vllm", 0.25, stream=False, worlds=1),
    ]
    fig12.draw(cells, reference, tmp_path / "fig12", PROVENANCE)
    (legend,) = kept[0].legends
    assert "default_vllm, non-streaming" not in [text.get_text() for text in legend.get_texts()]
    assert len(kept[0].axes[0].lines) == 1


def test_a_world_without_invalidated_tokens_has_no_ratio(invalidating, reference):
    cells = [
        invalidating("default_vllm", [ELEVEN, [0] * 11]),
        invalidating("fcfs", [ELEVEN, ELEVEN]),
        invalidating("lcas", [[0] * 11, ELEVEN]),
    ]
    grid = main_grid(cells, reference)
    assert list(fig12.ratio_to_default(grid, 0.25, SERIES_OF["fcfs"], "p50")) == [1.0]
    assert fig12.ratio_to_default(grid, 0.25, SERIES_OF["lcas"], "p50") is None


def test_cells_of_unknown_tokens_are_left_out_and_named(
    invalidating, with_values, as_logs, reference, kept, tmp_path
):
    known = [as_logs(invalidating(policy, [ELEVEN])) for policy in ("default_vllm", "fcfs")]
    unknown = as_logs(with_values(invalidating("lcas", [ELEVEN]), invalidated_tokens=[None] * 11))
    fig12.draw([*known, unknown], reference, tmp_path / "fig12", "read from run logs")
    curves, ratios = kept[0].axes
    assert {line.get_color() for line in curves.lines} == {
        SERIES_OF[p].colour for p in ("default_vllm", "fcfs")
    }
    assert np.isnan(
        line_of(ratios, SERIES_OF["lcas"], markerfacecolor=SERIES_OF["lcas"].colour).get_ydata()
    ).all()
    text = " ".join(kept[0].get_supxlabel().split())
    assert "Left out, since the log does not say how many: lcas at 0.25 QPS." in text


def test_overload_crosses_the_curve_where_a_fifth_has_more(
    invalidating, with_load, reference, kept, tmp_path
):
    cells = [with_load(invalidating("default_vllm", [ELEVEN]), 1.2, worlds=1), invalidating("fcfs", [ELEVEN])]
    fig12.draw(cells, reference, tmp_path / "fig12", PROVENANCE)
    (cross,) = [line for axes in kept[0].axes for line in axes.lines if line.get_marker() == "x"]
    assert cross.get_xydata().tolist() == [[800.0, 0.2]]


def test_another_workload_alone_is_an_error(fabricate, reference, tmp_path):
    with pytest.raises(HeadraceError, match="no cell of the main grid is of anns"):
        fig12.draw([fabricate("crawler")], reference, tmp_path / "fig12", PROVENANCE)
