import shutil
from pathlib import Path

import matplotlib.axes
import numpy as np
import polars as pl
import pytest

from headrace.errors import HeadraceError
from headrace.plots import fig8, fig9, fig10, style
from headrace.plots.arrivals import read_arrivals
from headrace.plots.fig9 import log_edges
from headrace.plots.shares import Histogram
from headrace.plots.style import SERIES, WORKLOADS
from headrace.plots.summary import summary_of
from headrace.scorecard.intervals import prediction_interval
from headrace.workload.table import SCHEMA, write_table

REFERENCE = sorted((Path(__file__).parents[3] / "data" / "reference" / "stream2llm").glob("*.csv"))
PROVENANCE = "made up"


def rows(world, query, mode, offsets_s):
    """Chunks of one query, 10 tokens each."""
    kept = [10 * place if mode == "append" else 0 for place in range(len(offsets_s))]
    return [
        (world, query, place, offset, mode, 10 * (place + 1), kept[place], place == len(offsets_s) - 1, 1)
        for place, offset in enumerate(offsets_s)
    ]


@pytest.fixture
def workload(tmp_path):
    """Writes a chunk table from the offsets (s) of each query of each world."""

    def write(name, worlds):
        mode = {"crawler": "append"}.get(name, "update")
        chunks = [
            row
            for world, queries in enumerate(worlds)
            for query, offsets_s in enumerate(queries)
            for row in rows(world, query, mode, offsets_s)
        ]
        path = tmp_path / f"{name}.parquet"
        write_table(pl.DataFrame(chunks, schema=SCHEMA, orient="row"), path)
        return path

    return write


@pytest.fixture
def both(workload):
    """Two worlds of crawler, one of anns.

    Gaps (s): crawler 1, 3 and 2, 4; anns 0.5, 0.1 (starts of its windows: 0, 0.5, 0.6) and none.
    """
    crawler = workload("crawler", [[[2.0, 3.0, 6.0]], [[2.0, 4.0, 8.0]]])
    return [workload("anns", [[[0.5, 0.6, 4.0], [2.0]]]), crawler]


@pytest.fixture
def svg_only(monkeypatch):
    monkeypatch.setattr(style, "FORMATS", ("svg",))


@pytest.fixture
def drawn(monkeypatch, svg_only):
    """What was plotted: (colour, marker, is it open, x, y) of every line, and (left, height) of every bar."""
    found = {"lines": [], "bars": [], "bands": [], "notes": []}
    plot, bar = matplotlib.axes.Axes.plot, matplotlib.axes.Axes.bar
    band = matplotlib.axes.Axes.fill_betweenx

    def plotted(axes, x, y, **look):
        is_open = look.get("markerfacecolor") in ("none", "white")
        found["lines"].append((look.get("color"), look.get("marker"), is_open, list(x), list(y)))
        return plot(axes, x, y, **look)

    def barred(axes, left, height, width, **look):
        found["bars"].append((list(left), list(height), list(width)))
        return bar(axes, left, height, width, **look)

    def filled(axes, y, low, high, **look):
        found["bands"].append((list(low), list(high)))
        return band(axes, y, low, high, **look)

    def noted(figure, *lines):
        found["notes"] += lines

    monkeypatch.setattr(matplotlib.axes.Axes, "plot", plotted)
    monkeypatch.setattr(matplotlib.axes.Axes, "bar", barred)
    monkeypatch.setattr(matplotlib.axes.Axes, "fill_betweenx", filled)
    for module in ("fig8", "shares"):
        monkeypatch.setattr(f"headrace.plots.{module}.note", noted)
    return found


def test_gaps_and_chunks_by_hand(both):
    crawler, anns = read_arrivals(both, REFERENCE)
    assert [world.tolist() for world in crawler.gaps_s] == [[1.0, 3.0], [2.0, 4.0]]
    assert [world.tolist() for world in crawler.chunks] == [[3], [3]]
    assert anns.gaps_s[0].tolist() == pytest.approx([0.5, 0.1])
    assert anns.chunks[0].tolist() == [3, 1]
    assert crawler.size() == "crawler: 1 query with 2 gaps, 2 worlds"
    assert anns.size() == "anns: 2 queries with 2 gaps, 1 world"
    assert anns.published_size() == "anns: 4,997 queries with 17,067 gaps"


def test_worlds_that_are_all_the_same_count_as_one(workload):
    same = [[[2.0, 3.0, 6.0]]] * 3
    (traces,) = read_arrivals([workload("crawler", same)], REFERENCE)
    assert len(traces.gaps_s) == len(traces.chunks) == 1
    (drawn,) = read_arrivals([workload("crawler", [*same, [[2.0, 3.5, 6.0]]])], REFERENCE)
    assert len(drawn.gaps_s) == 4


def test_fig8_draws_quantiles_bands_and_published_percentiles(both, drawn, tmp_path):
    fig8.draw(both, REFERENCE, tmp_path / "fig8", PROVENANCE)
    colour = WORKLOADS["crawler"].colour
    lines = [line for line in drawn["lines"] if line[0] == colour]
    curve, ours, published, mean = lines
    x, y = np.array(curve[3]), np.array(curve[4])
    # between 1 s and 3 s, linear between the order statistics
    assert x[np.isclose(y, [0.0])] == [1.0] and x[-1] == 3.0 and y[-1] == 1.0
    assert x[np.isclose(y, 0.5)] == pytest.approx([2.0])
    assert ours[1:] == ("^", False, [2.0], [0])
    # chunk_arrivals.csv, crawler, ms
    assert published[3] == pytest.approx([0.08185, 0.38712, 0.70067, 1.33952, 3.07799, 5.29335])
    assert published[4] == [0.05, 0.25, 0.5, 0.75, 0.95, 0.99]
    assert mean[1:] == ("^", True, [1.053], [0])
    low, high = drawn["bands"][0]
    assert (low[0], high[0]) == prediction_interval(np.array([1.0, 2.0]))
    assert np.isnan(drawn["bands"][1][0]).all()
    assert "crawler: 1 query with 2 gaps, 2 worlds; anns: 2 queries" in " ".join(drawn["notes"])
    assert "from all traces: crawler: 4,322 queries with 29,656 gaps" in " ".join(drawn["notes"])
    assert drawn["notes"][-1] == "Numbers: made up."


def test_fig8_has_the_mean_gap_not_the_median(workload, drawn, tmp_path):
    fig8.draw([workload("crawler", [[[2.0, 3.0, 6.0, 14.0]]])], REFERENCE, tmp_path / "fig8", PROVENANCE)
    assert drawn["lines"][1][3] == [4.0]


def test_whiskers_of_a_share_are_on_its_own_scale(workload, svg_only, monkeypatch, tmp_path):
    """No query with two chunks in one world is a share of 0, of which there is no logarithm."""
    found = []
    monkeypatch.setattr(
        matplotlib.axes.Axes, "vlines", lambda axes, x, low, high, **look: found.append((low, high))
    )
    worlds = [[[1.0, 2.0], [1.0]], [[1.0], [1.0]]]
    worlds[1][1] = [1.0, 2.0, 3.0]
    fig10.draw([workload("crawler", worlds)], REFERENCE, tmp_path / "fig10", PROVENANCE)
    low, high = found[0]
    # one chunk: half of the queries in both worlds; two: half, none; from four on nobody
    assert (low[0], high[0]) == (0.5, 0.5)
    bounds = prediction_interval(np.array([0.5, 0.0]), scale="share")
    assert (low[1], high[1]) == bounds == (0.0, 1.0)
    assert not low[3:].any() and not high[3:].any()


def test_fig10_counts_queries_by_chunks(both, drawn, tmp_path):
    fig10.draw(both, REFERENCE, tmp_path / "fig10", PROVENANCE)
    # to 26 chunks: the most of a published anns query
    (left, crawler, width), (_, anns, _) = drawn["bars"]
    centres = [start + across / 2 for start, across in zip(left, width, strict=True)]
    assert centres == pytest.approx(range(1, 27))
    assert crawler == [0, 0, 1] + [0] * 23
    assert anns == [0.5, 0, 0.5] + [0] * 23
    marks = [line[1:] for line in drawn["lines"] if line[0] == WORKLOADS["anns"].colour]
    assert marks == [
        (None, False, [1.0, 3.0], [0, 0]),
        ("o", False, [2.0], [0]),
        ("^", False, [2.0], [0]),
        (None, False, [1.0, 26.0], [1, 1]),
        ("o", True, [4.0], [1]),
        ("^", True, [4.42], [1]),
    ]


def test_fig9_draws_shares_of_gaps_and_published_statistics(both, drawn, tmp_path):
    fig9.draw(both, REFERENCE, tmp_path / "fig9", PROVENANCE)
    for left, heights, width in drawn["bars"]:
        assert sum(heights) == pytest.approx(1.0)
        starts = np.array([*left, left[-1] + width[-1]])
        assert np.diff(np.log10(starts)) == pytest.approx(1 / fig9.BINS_PER_DECADE)
    left, heights, width = drawn["bars"][0]
    inside = [(a, a + w) for a, h, w in zip(left, heights, width, strict=True) if h > 0]
    # the crawler's world 0: 1 s and 3 s
    assert len(inside) == 2 and all(a <= gap < b for gap, (a, b) in zip((1.0, 3.0), inside, strict=True))
    published = [line for line in drawn["lines"] if line[2] and line[0] == WORKLOADS["crawler"].colour]
    assert [(line[1], *line[3]) for line in published] == [("o", 0.70067), ("^", 1.053)]
    whole, quartiles = [line[3] for line in drawn["lines"] if line[1] is None and line[4] == [1, 1]][:2]
    assert whole == pytest.approx([0.00301, 34.94656])
    assert quartiles == pytest.approx([0.38712, 1.33952])


def test_gaps_of_0_count_in_the_first_bin_and_bins_hold_the_published_ends(workload, tmp_path):
    (arrivals,) = read_arrivals([workload("crawler", [[[2.0, 2.0, 3.0]]])], REFERENCE)
    edges = log_edges([arrivals])
    assert edges[0] <= 0.00301 and edges[-1] > 34.94656
    shares = Histogram(arrivals, arrivals.gaps_s, {}, edges).shares()
    assert shares[0, 0] == 0.5 and shares.sum() == 1.0


def test_summary_by_hand():
    found = summary_of(np.array([1.0, 2.0, 3.0, 4.0, 10.0]))
    assert found == {"min": 1.0, "p25": 2.0, "p50": 3.0, "p75": 4.0, "max": 10.0, "mean": 4.0}


@pytest.mark.parametrize("figure", [fig8, fig9, fig10])
def test_the_same_tables_give_the_same_svg(figure, both, svg_only, tmp_path):
    figure.draw(both, REFERENCE, tmp_path / "one", PROVENANCE)
    figure.draw(both[::-1], list(reversed(REFERENCE)), tmp_path / "two", PROVENANCE)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


@pytest.mark.parametrize("figure", [fig8, fig9, fig10])
def test_one_workload_without_published_numbers_is_drawn_plainly(figure, workload, drawn, tmp_path):
    reference = Path(shutil.copytree(REFERENCE[0].parent, tmp_path / "reference"))
    kept = [
        line for line in (reference / "chunk_arrivals.csv").read_text().splitlines() if "anns" not in line
    ]
    (reference / "chunk_arrivals.csv").write_text("\n".join(kept) + "\n")
    anns = workload("anns", [[[0.5, 0.6, 4.0]]])
    figure.draw([anns], sorted(reference.glob("*.csv")), tmp_path / "figure", PROVENANCE)
    assert not any(is_open and x for _, _, is_open, x, _ in drawn["lines"])
    assert "Published" not in " ".join(drawn["notes"])


@pytest.mark.parametrize("figure", [fig8, fig9, fig10])
def test_bad_input_is_named_and_nothing_is_written(figure, both, workload, tmp_path):
    out = tmp_path / "out" / "figure"

    def refused(words, workloads, reference=REFERENCE):
        with pytest.raises(HeadraceError, match=words) as caught:
            figure.draw(workloads, reference, out, PROVENANCE)
        assert "\n" not in str(caught.value)

    refused("no workload is given", [])
    refused("no published numbers", both, [])
    refused("did you mean 'crawler'", [workload("crawlers", [[[1.0, 2.0]]])])
    refused("no such file", [tmp_path / "gone" / "crawler.parquet"])
    both[0].write_bytes(b"PAR1 cut")
    refused(r"anns\.parquet: is no readable Parquet file", both)
    reference = Path(shutil.copytree(REFERENCE[0].parent, tmp_path / "reference"))
    text = (reference / "chunk_arrivals.csv").read_text()
    (reference / "chunk_arrivals.csv").write_text(text.replace("1053.0", "-1"))
    refused(r"chunk_arrivals\.csv: line 3: mean is '-1'", both[1:], [reference / "chunk_arrivals.csv"])
    (reference / "chunk_arrivals.csv").unlink()
    refused(r"chunk_arrivals\.csv: no such file", both[1:], [reference / "chunk_arrivals.csv"])
    alone = workload("crawler", [[[1.0, 2.0]], [[1.0]]])
    refused("world number 1: no query has a second chunk", [alone])
    assert not out.parent.exists()


def test_workloads_have_colours_of_their_own_that_differ_in_grey():
    colours = [look.colour for look in (*SERIES, *WORKLOADS.values())]
    assert len(set(colours)) == len(colours)
    greys = [
        sum(int(look.colour[i : i + 2], 16) * w for i, w in ((1, 0.3), (3, 0.59), (5, 0.11)))
        for look in WORKLOADS.values()
    ]
    assert abs(greys[0] - greys[1]) > 40
