"""The timeline of headrace simulate."""

from itertools import pairwise

import polars as pl
import pytest
from matplotlib.figure import Figure

from headrace.errors import HeadraceError
from headrace.kv import Ledger
from headrace.plots import timeline
from headrace.sim.record import QUEUED, RECOMPUTED, RUNNING, WAITING, Recorder, Span, Step, Track

SPANS = {  # request: (state, end); from the one before, the first from the opening
    0: [(QUEUED, 2.0), (RUNNING, 3.0), (WAITING, 5.0), (QUEUED, 5.5), (RUNNING, 7.0)],
    1: [(RUNNING, 4.0), (WAITING, 4.5), (RECOMPUTED, 8.0), (RUNNING, 9.0)],
}
OPENED_S = {0: 1.5, 1: 3.0}


@pytest.fixture
def record() -> Recorder:
    """Two requests, the second evicted from 4.5 to 8 s; a pool of 100 blocks."""
    made = Recorder(scheduler=None)
    made.ledger = Ledger(100, 50, 16)
    made.steps = [
        Step(2.0, 3.0, 60, 40, 40, 0),
        Step(3.0, 4.0, 100, 100, 90, 0),
        Step(5.5, 7.0, 30, 90, 20, 0),
        Step(8.0, 9.0, 50, 30, 0, 0),
    ]
    for number, spans in SPANS.items():
        track = Track(QUEUED, OPENED_S[number], hand_overs_s=[OPENED_S[number], 5.0])
        ends = [OPENED_S[number], *(end_s for _, end_s in spans)]
        states = [state for state, _ in spans]
        track.spans = [Span(state, *pair) for state, pair in zip(states, pairwise(ends), strict=True)]
        made.tracks[number] = track
    return made


@pytest.fixture
def requests() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "request_id": [0, 1],
            "arrival_s": [1.0, 2.5],
            "first_token_s": [7.0, 9.0],
            "finished_s": [7.0, 9.0],
        }
    )


def draw(record, requests, out, **more):
    timeline.draw(record, requests, 100, out, "crawler, fcfs", "simulated; performance model toy", **more)


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_one_file_of_the_format_that_its_name_says(record, requests, tmp_path, suffix):
    draw(record, requests, tmp_path / f"a.{suffix}")
    (file,) = tmp_path.iterdir()
    start = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}[suffix]
    assert file.read_bytes().startswith(start)


def test_says_what_it_is(record, requests, tmp_path, monkeypatch):
    monkeypatch.setitem(timeline.drawing.__wrapped__.__globals__["SETTINGS"], "svg.fonttype", "none")
    draw(record, requests, tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text()
    for words in (
        "simulated; performance model toy", "crawler, fcfs", "Rows: the first 2 of 2 requests.",
        "pool: 100 blocks", "budget: 100 tokens", "running", "out by recompute", "first token",
        "chunk handed over", "clock (s)", "TTFT: first token after the last hand-over",
    ):  # fmt: skip
        assert words in text
    assert "out by swap" not in text  # not in this run


def test_the_same_run_gives_the_same_svg(record, requests, tmp_path):
    draw(record, requests, tmp_path / "a.svg")
    draw(record, requests, tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_boxes_are_the_spans(record, requests, monkeypatch, tmp_path):
    """Request 1 is row 1: open from its start at 2.5, in steps 3..4 and 8..9, evicted in between."""
    boxes = {}

    class Spy(timeline.PolyCollection):
        def __init__(self, corners, **style):
            boxes[style["facecolors"]] = corners
            super().__init__(corners, **style)

    monkeypatch.setattr(timeline, "PolyCollection", Spy)
    draw(record, requests, tmp_path / "a.svg")
    drawn = {
        state: [(round(box[0][1] + look.height / 2), box[0][0], box[1][0]) for box in boxes[look.colour]]
        for state, look in timeline.LOOKS.items()
    }
    assert drawn[RUNNING] == [(0, 2.0, 3.0), (0, 5.5, 7.0), (1, 3.0, 4.0), (1, 8.0, 9.0)]
    assert drawn[RECOMPUTED] == [(1, 4.5, 8.0)]
    assert drawn[WAITING] == [(0, 1.0, 1.5), (0, 3.0, 5.0), (1, 2.5, 3.0), (1, 4.0, 4.5)]


def test_a_window_shows_who_is_there_then(record, requests):
    shown, text = timeline._shown(record, requests, (7.5, 8.5), "a.svg")
    assert shown["request_id"].to_list() == [1]
    assert text == "Rows: of the requests of this time, 1 of 1 evicted and 0 of 0 other ones."
    shown, _ = timeline._shown(record, requests, (6.0, 8.0), "a.svg")  # 0 ends in it
    assert shown["request_id"].to_list() == [0, 1]
    shown, _ = timeline._shown(record, requests, (0.0, 4.0), "a.svg")
    assert shown["request_id"].to_list() == [0, 1]


def test_a_full_window_has_evicted_and_other_requests(record, requests):
    many = pl.concat([requests.with_columns(pl.col("request_id") + 2 * copy) for copy in range(100)])
    record.tracks |= {number: record.tracks[number % 2] for number in range(2, 200)}
    shown, text = timeline._shown(record, many, (5.0, 6.0), "a.svg")
    assert shown.height == 60 and (shown["request_id"] % 2).sum() == 40  # the odd ones are evicted
    assert shown["request_id"].n_unique() == 60
    assert text == "Rows: of the requests of this time, 40 of 100 evicted and 20 of 100 other ones."


def test_an_empty_window_is_refused(record, requests, tmp_path):
    with pytest.raises(HeadraceError, match="no request is there from 10 to 20 s; the run ends at 9 s"):
        draw(record, requests, tmp_path / "a.svg", window=(10.0, 20.0))
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_refused(record, requests, tmp_path):
    with pytest.raises(HeadraceError, match=r"\.jpg is no picture format"):
        draw(record, requests, tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("start_s", "end_s", "expected"),
    [(0, 9, [0, 1, 2, 3]), (4.5, 5, [1, 2]), (2.5, 3.5, [0, 1, 2]), (6, 6.5, [1, 2, 3]), (8.5, 99, [2, 3])],
)  # fmt: skip
def test_panels_have_the_steps_of_the_window_and_its_neighbours(record, start_s, end_s, expected):
    found = timeline._steps_around(record.steps, start_s, end_s)
    assert [record.steps.index(step) for step in found] == expected


def test_tokens_stand_over_their_step_and_nothing_between_steps(record):
    axes = Figure().subplots()
    timeline.budget(axes, record.steps, 100)  # 60 tokens from 2 to 3 s, nothing from 4 to 5.5 s
    ((area,),) = (collection.get_paths() for collection in axes.collections)
    assert area.contains_point((2.5, 59)) and not area.contains_point((2.5, 61))
    assert not area.contains_point((4.5, 1))


def test_a_window_between_two_steps_can_be_drawn(record, requests, tmp_path):
    draw(record, requests, tmp_path / "a.svg", window=(4.6, 4.9))
    assert (tmp_path / "a.svg").stat().st_size
