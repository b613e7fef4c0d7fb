import shutil
import xml.etree.ElementTree as tree
from pathlib import Path

import matplotlib.axes
import numpy as np
import polars as pl
import pytest

from headrace.errors import HeadraceError
from headrace.plots import ccdf, fig5, fig6, fig7, fig11, fig12, style
from headrace.plots.cells import main_grid
from headrace.plots.style import FORMATS, SERIES
from headrace.scorecard.intervals import prediction_interval

REFERENCE = sorted((Path(__file__).parents[3] / "data" / "reference" / "stream2llm").glob("*.csv"))
PROVENANCE = "simulated; performance model h200-tp2.made-up"


@pytest.fixture
def cells(fabricate):
    """Two rates of crawler and one of anns, three of the five series each."""
    policies = (("default_vllm", True), ("default_vllm", False), ("lcas", True))
    places = (("crawler", 0.5), ("crawler", 4.0), ("anns", 1.0))
    return [
        fabricate(workload, policy, qps, stream=stream)
        for workload, qps in places
        for policy, stream in policies
    ]


@pytest.fixture
def svg_only(monkeypatch):
    monkeypatch.setattr(style, "FORMATS", ("svg",))


@pytest.fixture
def drawn(monkeypatch, svg_only):
    """What was plotted: (marker, is it open, x, y) of every line, in order."""
    lines = []
    plot = matplotlib.axes.Axes.plot

    def record(axes, x, y, **style):
        lines.append((style.get("marker"), style.get("markerfacecolor") == "none", list(x), list(y)))
        return plot(axes, x, y, **style)

    monkeypatch.setattr(matplotlib.axes.Axes, "plot", record)
    return lines


@pytest.mark.parametrize("figure", [fig5, fig6, fig7, fig11, fig12])
def test_all_formats_are_written_and_the_svg_twice_the_same(figure, cells, tmp_path, monkeypatch):
    figure.draw(cells, REFERENCE, tmp_path / "one" / "figure", PROVENANCE)
    monkeypatch.setattr(style, "FORMATS", ("svg",))
    figure.draw(list(reversed(cells)), REFERENCE, tmp_path / "two" / "figure", PROVENANCE)
    for suffix in FORMATS:
        assert (tmp_path / "one" / f"figure.{suffix}").stat().st_size > 5_000
    svg = (tmp_path / "one" / "figure.svg").read_bytes()
    assert svg == (tmp_path / "two" / "figure.svg").read_bytes()
    assert tree.fromstring(svg).tag.endswith("svg")
    assert b"dc:date" not in svg
    assert sorted(path.name for path in (tmp_path / "one").iterdir()) == [
        f"figure.{s}" for s in sorted(FORMATS)
    ]


def test_fig5_draws_the_quantiles_of_world_0_and_the_published_points(cells, drawn, tmp_path):
    fig5.draw(cells, REFERENCE, tmp_path / "fig5", PROVENANCE)
    curves = [(x, y) for _, is_open, x, y in drawn if not is_open]
    points = [(marker, x, y) for marker, is_open, x, y in drawn if is_open]
    assert len(curves) == 9
    default = next(cell for cell in cells if "crawler" in str(cell) and "stream=true" in str(cell))
    world0 = pl.read_parquet(default).filter(world=0)["ttft_s"].to_numpy()
    x, y = curves[1]
    assert y[0] == 1.0 and y[-1] == pytest.approx(1e-3)
    assert x[0] == pytest.approx(world0.min())
    assert x[-1] == pytest.approx(np.percentile(world0, 99.9))
    # crawler at 0.5 QPS: non-streaming first, then streaming default_vllm
    assert points[0] == ("s", [0.1164, 0.8366, 1.7688, 4.3583], [0.5, 0.05, 0.01, 0.001])
    assert points[1] == ("o", [0.0298, 0.2185, 0.6234, 1.8655], [0.5, 0.05, 0.01, 0.001])
    # lcas: streaming baseline over its published speedup
    assert points[2][1] == pytest.approx([0.0298 / 1.011, 0.2185 / 1.118, 0.6234 / 1.103, 1.8655 / 0.643])


def test_fig6_draws_mean_and_p95_and_published_p95_only(cells, drawn, tmp_path):
    fig6.draw(cells, REFERENCE, tmp_path / "fig6", PROVENANCE)
    closed = [(x, y) for _, is_open, x, y in drawn if not is_open]
    opened = [(x, y) for _, is_open, x, y in drawn if is_open]
    assert len(closed) == 2 * 3 and len(opened) == 3
    default = [cell for cell in cells if "crawler" in str(cell) and "stream=true" in str(cell)][::2]
    worlds = [pl.read_parquet(cell).filter(world=0)["ttft_s"].to_numpy() for cell in default]
    assert closed[2][1] == pytest.approx([world.mean() for world in worlds])
    assert closed[3][1] == pytest.approx([np.percentile(world, 95) for world in worlds])
    assert opened[1][1] == pytest.approx([0.2185, 1.9569])
    assert opened[1][0] == pytest.approx(closed[3][0])


def test_another_workload_is_drawn_by_the_same_function(cells, drawn, tmp_path):
    fig7.draw(cells, REFERENCE, tmp_path / "fig7", PROVENANCE)
    assert [y for _, is_open, _, y in drawn if is_open][1] == [0.7394]


def test_one_world_and_unpublished_hardware_are_drawn_plainly(fabricate, drawn, tmp_path):
    cell = fabricate("crawler", "fcfs", 1.0, hardware="h100-tp2", worlds=1)
    for figure in (fig5, fig6):
        figure.draw([cell], REFERENCE, tmp_path / figure.__name__, PROVENANCE)
    assert not any(x for _, is_open, x, _ in drawn if is_open)


def test_series_differ_in_colour_marker_and_line():
    for attribute in ("colour", "marker", "label"):
        assert len({getattr(series, attribute) for series in SERIES}) == len(SERIES)
    greys = [
        sum(int(s.colour[i : i + 2], 16) * w for i, w in ((1, 0.3), (3, 0.59), (5, 0.11))) for s in SERIES
    ]
    close = [
        (one.line, other.line)
        for i, one in enumerate(SERIES)
        for j, other in enumerate(SERIES)
        if i < j and abs(greys[i] - greys[j]) < 40
    ]
    assert all(one != other for one, other in close)


def test_bands_are_the_prediction_interval_over_worlds(cells, monkeypatch, svg_only, tmp_path):
    bands = []
    fill = matplotlib.axes.Axes.fill_betweenx

    def record(axes, y, low, high, **style):
        bands.append((y, low, high))
        return fill(axes, y, low, high, **style)

    monkeypatch.setattr(matplotlib.axes.Axes, "fill_betweenx", record)
    fig5.draw(cells, REFERENCE, tmp_path / "fig5", PROVENANCE)
    default = next(cell for cell in cells if "crawler" in str(cell) and "stream=true" in str(cell))
    table = pl.read_parquet(default)
    p90 = [np.percentile(table.filter(world=world)["ttft_s"].to_numpy(), 90) for world in range(3)]
    fractions, low, high = bands[1]
    (at,) = np.flatnonzero(np.isclose(fractions, 0.1))
    assert (low[at], high[at]) == pytest.approx(prediction_interval(np.array(p90)))


def test_overload_crosses_the_curve_where_a_fifth_waits_longer(cells, drawn, with_load, tmp_path):
    slow = next(cell for cell in cells if "crawler" in str(cell) and "stream=true" in str(cell))
    with_load(slow, 1.3)
    fig5.draw(cells, REFERENCE, tmp_path / "fig5", PROVENANCE)
    crosses = [(x, y) for marker, _, x, y in drawn if marker == "x"]
    p80 = np.percentile(pl.read_parquet(slow).filter(world=0)["ttft_s"].to_numpy(), 80)
    assert crosses == [([pytest.approx(p80)], [0.2])]


@pytest.mark.parametrize(("lowest", "highest"), [(0.01, 15.0), (3.0, 40.0), (11.0, 13.0)])
def test_a_narrow_axis_of_times_has_ticks_to_read_it_by(lowest, highest):
    with style.drawing() as figure:
        axes = figure.subplots()
        ccdf.frame(axes, lowest, highest)
        assert len([tick for tick in axes.get_xticks() if lowest <= tick <= highest]) >= 2


def test_a_workload_that_is_missing_has_no_row(cells, reference, kept, tmp_path):
    fig5.draw([cell for cell in cells if "crawler" in str(cell)], reference, tmp_path / "fig5", PROVENANCE)
    assert [axes.get_title() for axes in kept[0].axes] == ["crawler, 0.5 QPS", "crawler, 4 QPS"]


def test_more_policies_of_ones_own_than_looks_are_an_error(fabricate, tmp_path):
    cells = [fabricate("crawler", f"own_{number}") for number in range(len(style.SPARE) + 1)]
    with pytest.raises(HeadraceError, match="5 series that have no look of their own, there are 4 spare"):
        fig5.draw(cells, REFERENCE, tmp_path / "fig5", PROVENANCE)


def test_pressure_cells_are_left_out(cells, fabricate):
    grid = main_grid([*cells, fabricate("crawler", "mcps", 4.0, delay=10)], REFERENCE)
    assert "mcps" not in {series.policy for series in grid.series()}
    assert grid.rates("crawler") == [0.5, 4.0]
    assert grid.size("crawler") == "crawler: 60 requests, 3 worlds"


def test_bad_cells_are_named_and_nothing_is_written(cells, fabricate, tmp_path):
    out = tmp_path / "out" / "figure"
    mixed = [*cells, fabricate("crawler", "fcfs", 1.0, hardware="h100-tp2")]
    for wrong, words in (([], "no cell of the main grid is there"), (mixed, "h100-tp2, h200-tp2")):
        with pytest.raises(HeadraceError, match=words):
            fig5.draw(wrong, REFERENCE, out, PROVENANCE)
    with pytest.raises(HeadraceError, match="no cell of the main grid is of anns"):
        fig7.draw([cell for cell in cells if "anns" not in str(cell)], REFERENCE, out, PROVENANCE)
    fewer = fabricate("crawler", "fcfs", 0.5, worlds=2)
    with pytest.raises(HeadraceError, match="has 2 worlds, another cell of crawler has 3"):
        fig5.draw([*cells, fewer], REFERENCE, out, PROVENANCE)
    twice = fabricate("crawler", "lcas", 0.5, eviction="swap")
    with pytest.raises(HeadraceError, match=r"eviction=swap.*: another table is of the same cell"):
        fig5.draw([*cells, twice], REFERENCE, out, PROVENANCE)
    cells[0].write_bytes(b"PAR1 cut")
    with pytest.raises(HeadraceError, match="not a whole Parquet file"):
        fig5.draw(cells, REFERENCE, out, PROVENANCE)
    assert not out.parent.exists()


def test_a_world_that_served_nothing_is_named(fabricate, tmp_path):
    cell = fabricate("crawler", "fcfs", 1.0)
    table = pl.read_parquet(cell)
    times = ["first_token_s", "finished_s", "ttft_s", "e2e_s"]
    refused = [pl.when(pl.col("world") == 1).then(None).otherwise(pl.col(name)).alias(name) for name in times]
    table.with_columns(refused).write_parquet(cell)
    with pytest.raises(HeadraceError, match="served no request"):
        fig6.draw([cell], REFERENCE, tmp_path / "fig6", PROVENANCE)


def test_a_bad_reference_is_named(cells, tmp_path):
    folder = Path(shutil.copytree(REFERENCE[0].parent, tmp_path / "reference"))
    (folder / "ttft_seconds.csv").unlink()
    with pytest.raises(HeadraceError, match="no published numbers are given"):
        fig5.draw(cells, [], tmp_path / "fig5", PROVENANCE)
    with pytest.raises(HeadraceError, match=r"ttft_seconds\.csv"):
        fig5.draw(cells, sorted(folder.glob("*.csv")), tmp_path / "fig5", PROVENANCE)
