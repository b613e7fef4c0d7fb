"""Figures 6, 7 and 11: points against the request rate."""

import numpy as np
import polars as pl
import pytest

from headrace.plots import fig5, fig6, fig7, fig11
from headrace.plots.style import DEFAULT_STREAMING, DEFAULT_WHOLE, SERIES
from headrace.scorecard.intervals import prediction_interval

PROVENANCE = "simulated; performance model h200-tp2.made-up"


def lines_of(axes, series, *, published=False):
    """The lines of a series in a panel, published points apart."""
    return [
        line
        for line in axes.lines
        if line.get_color() == series.colour
        and line.get_marker() == series.marker
        and (line.get_markerfacecolor() == "none") == published
    ]


def whiskers_of(axes, series):
    """(x, low, high) of every whisker of a series."""
    return [
        (low[0], low[1], high[1])
        for lines in axes.collections
        if lines.get_edgecolor()[0][:3] == pytest.approx(_rgb(series.colour))
        for low, high in lines.get_segments()
    ]


def _rgb(colour):
    return [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]


def text_of(figure):
    return figure.get_supxlabel()


def labels_of(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


@pytest.fixture
def anns(fabricate):
    """Default, streaming and not, and lcas at two rates of anns."""
    return [
        fabricate("anns", policy, qps, stream=stream, slowness=1 + (not stream))
        for qps in (0.25, 1.0)
        for policy, stream in (("default_vllm", True), ("default_vllm", False), ("lcas", True))
    ]


def test_fig7_has_mean_and_p95_of_world_0_with_whiskers_over_the_worlds(anns, reference, kept, tmp_path):
    fig7.draw(anns, reference, tmp_path / "fig7", PROVENANCE)
    mean, p95 = kept[0].axes
    lcas = next(series for series in SERIES if series.policy == "lcas")
    cells = [pl.read_parquet(cell) for cell in anns if "lcas" in str(cell)]
    for axes, statistic in ((mean, np.mean), (p95, lambda world: np.percentile(world, 95))):
        worlds = [[statistic(cell.filter(world=w)["ttft_s"].to_numpy()) for w in range(3)] for cell in cells]
        (line,) = lines_of(axes, lcas)
        assert list(line.get_ydata()) == pytest.approx([values[0] for values in worlds])
        low, high = (np.array([prediction_interval(np.array(v))[side] for v in worlds]) for side in (0, 1))
        drawn = np.array(whiskers_of(axes, lcas))
        assert drawn[:, 0] == pytest.approx(line.get_xdata())
        assert drawn[:, 1] == pytest.approx(low)
        assert drawn[:, 2] == pytest.approx(high)


def test_the_legend_has_markers_where_the_panels_have(anns, reference, kept, tmp_path):
    for figure in (fig5, fig7):
        figure.draw(anns, reference, tmp_path / "fig", PROVENANCE)
    for drawn, marker in zip(kept, ("None", DEFAULT_WHOLE.marker), strict=True):
        assert drawn.legends[0].legend_handles[0].get_marker() == marker


def test_fig7_has_the_published_p95_and_no_published_mean(anns, reference, kept, tmp_path):
    fig7.draw(anns, reference, tmp_path / "fig7", PROVENANCE)
    mean, p95 = kept[0].axes
    (points,) = lines_of(p95, DEFAULT_STREAMING, published=True)
    assert list(points.get_ydata()) == [0.5726, 0.7394]
    (ours,) = lines_of(p95, DEFAULT_STREAMING)
    assert list(points.get_xdata()) == pytest.approx(ours.get_xdata())
    assert not any(lines_of(mean, series, published=True) for series in SERIES)
    assert labels_of(kept[0])[-2:] == ["published", "95% prediction interval"]


def test_the_note_says_where_numbers_come_from_how_many_and_what_streaming_gains(
    anns, reference, kept, tmp_path
):
    fig7.draw(anns, reference, tmp_path / "fig7", PROVENANCE)
    text = " ".join(text_of(kept[0]).split())
    assert f"anns: 60 requests, 3 worlds. h200-tp2; {PROVENANCE}." in text
    # the made-up times differ by the factor 2 only
    assert "default_vllm, mean TTFT without streaming: 2.0 to 2.0 times that with it." in text
    assert "Points: world 0." in text
    assert "verload" not in text


def test_a_missing_cell_leaves_a_gap_in_its_line(fabricate, reference, kept, tmp_path):
    cells = [fabricate("anns", "default_vllm", qps) for qps in (0.5, 1.0, 2.0)]
    cells += [fabricate("anns", "lcas", qps) for qps in (0.5, 2.0)]
    fig7.draw(cells, reference, tmp_path / "fig7", PROVENANCE)
    (line,) = lines_of(kept[0].axes[0], next(s for s in SERIES if s.policy == "lcas"))
    assert list(np.isnan(line.get_ydata())) == [False, True, False]


@pytest.mark.parametrize(("figure", "panels"), [(fig7, 2), (fig11, 1)])
def test_overload_is_marked_named_and_explained(figure, panels, anns, reference, kept, tmp_path, with_load):
    with_load(next(cell for cell in anns if "lcas" in str(cell) and "qps=1.0" in str(cell)), 1.01)
    figure.draw(anns, reference, tmp_path / "fig", PROVENANCE)
    crosses = [line for axes in kept[0].axes for line in axes.lines if line.get_marker() == "x"]
    assert len(crosses) == 2
    lcas = next(series for series in SERIES if series.policy == "lcas")
    (line,) = lines_of(kept[0].axes[0], lcas)
    assert crosses[0].get_xydata() == pytest.approx(line.get_xydata()[[1]])
    assert labels_of(kept[0])[-1] == "overload"
    assert "Overload, marked x: anns at 1 QPS, lcas." in text_of(kept[0])


def test_a_load_below_1_is_no_overload(anns, reference, kept, tmp_path, with_load):
    with_load(anns[0], 0.99)
    fig7.draw(anns, reference, tmp_path / "fig7", PROVENANCE)
    assert not [line for axes in kept[0].axes for line in axes.lines if line.get_marker() == "x"]
    assert "overload" not in labels_of(kept[0])


@pytest.fixture
def finishing(fabricate, with_values):
    """A cell of two requests per world whose traces take the given times (s)."""

    def write(policy, seconds, *, workload="crawler", qps=1.0, stream=True):
        cell = fabricate(workload, policy, qps, stream=stream, worlds=len(seconds), queries=2)
        finished = [value for last in seconds for value in (5.0, 3.0 + last)]
        arrivals = [3.0, 4.0] * len(seconds)
        return with_values(cell, arrival_s=arrivals, finished_s=finished)

    return write


def test_fig11_has_completion_times_and_differences_in_percent(finishing, reference, kept, tmp_path):
    default = [100.0, 200.0, 400.0]
    cells = [finishing("default_vllm", default), finishing("fcfs", [102.0, 202.0, 396.0])]
    fig11.draw(cells, reference, tmp_path / "fig11", PROVENANCE)
    above, below = kept[0].axes
    fcfs = next(series for series in SERIES if series.policy == "fcfs")
    (times,), (difference,) = lines_of(above, fcfs), lines_of(below, fcfs)
    assert list(times.get_ydata()) == pytest.approx([102.0])
    assert list(difference.get_ydata()) == pytest.approx([2.0])
    low, high = prediction_interval(np.array([1.02, 1.01, 0.99]))
    ((_, drawn_low, drawn_high),) = whiskers_of(below, fcfs)
    assert (drawn_low, drawn_high) == pytest.approx((100 * (low - 1), 100 * (high - 1)))
    (times,), (difference,) = (lines_of(axes, DEFAULT_STREAMING) for axes in (above, below))
    assert list(times.get_ydata()) == pytest.approx([100.0])
    assert np.isnan(difference.get_ydata()).all()
    text = " ".join(text_of(kept[0]).split())
    assert "Largest difference of a point: +2 % (crawler at 1 QPS, fcfs)." in text
    assert "The study published no numbers of this figure." in text
    assert "published" not in labels_of(kept[0])


def test_fig11_names_the_largest_difference_whatever_its_sign(finishing, reference, kept, tmp_path):
    cells = [
        finishing(policy, [seconds])
        for policy, seconds in (("default_vllm", 100.0), ("fcfs", 102.0), ("mcps", 97.0))
    ]
    fig11.draw(cells, reference, tmp_path / "fig11", PROVENANCE)
    text = " ".join(text_of(kept[0]).split())
    assert "Largest difference of a point: -3 % (crawler at 1 QPS, mcps)." in text


def test_fig11_without_the_default_has_times_only(finishing, reference, kept, tmp_path):
    fig11.draw([finishing("fcfs", [100.0, 110.0])], reference, tmp_path / "fig11", PROVENANCE)
    above, below = kept[0].axes
    fcfs = next(series for series in SERIES if series.policy == "fcfs")
    assert len(lines_of(above, fcfs)) == 1
    assert np.isnan(lines_of(below, fcfs)[0].get_ydata()).all()
    assert "Largest" not in text_of(kept[0])


def test_run_logs_have_no_whiskers_and_say_one_run(fabricate, reference, kept, tmp_path, as_logs):
    cells = [as_logs(fabricate("crawler", "default_vllm", qps, worlds=1)) for qps in (1.0, 2.0)]
    for figure in (fig6, fig11):
        figure.draw(cells, reference, tmp_path / "fig", "read from the study's run logs")
    for drawn in kept:
        assert "95% prediction interval" not in labels_of(drawn)
        text = " ".join(text_of(drawn).split())
        assert "crawler: 60 requests, 1 run. h200-tp2; read from the study's run logs." in text
        assert "world 0" not in text


def test_a_policy_of_ones_own_is_drawn_with_a_spare_look(fabricate, reference, kept, tmp_path):
    cells = [fabricate("crawler", policy, 1.0) for policy in ("default_vllm", "mine", "another")]
    fig6.draw(cells, reference, tmp_path / "fig6", PROVENANCE)
    assert labels_of(kept[0])[:3] == ["default_vllm, streaming", "another", "mine"]
    colours = {line.get_color() for line in kept[0].axes[0].lines}
    assert len(colours) == 3
    assert len(colours & {series.colour for series in SERIES}) == 1
