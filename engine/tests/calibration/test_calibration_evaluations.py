"""Points that were served are not served again."""

import json

import pytest

from headrace.calibration.evaluations import Evaluations
from headrace.calibration.serving import Outcome

ROWS = (0, 2)
POINTS = [{"a/b": 0.1, "c": 3}, {"a/b": 1 / 3, "c": 4}]


class Counted:
    """Gives twice the value; counts what it is asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, points, rows):
        for point in points:
            self.asked.append(point)
            yield point, Outcome([2 * point["a/b"]] * len(rows))


@pytest.fixture
def serve():
    return Counted()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "evaluations.jsonl"


def test_a_known_point_comes_from_the_file_to_the_last_bit(file, serve):
    first = Evaluations(file, "one", serve).at(POINTS, ROWS)
    again = Evaluations(file, "one", serve).at([POINTS[1], POINTS[0], POINTS[1]], ROWS)
    assert again == [first[1], first[0], first[1]]
    assert serve.asked == POINTS


def test_a_point_that_is_known_for_some_rows_is_served_for_others(file, serve):
    for rows in ((0, 2), (0, 1, 2), (1, 2), (0, 2)):
        (outcome,) = Evaluations(file, "one", serve).at([POINTS[0]], rows)
        assert outcome == Outcome([0.2] * len(rows))
    assert serve.asked == [POINTS[0]] * 3


def test_one_point_twice_is_served_once_and_counted_twice(file, serve):
    advanced = []
    found = Evaluations(file, "one", serve, lambda: advanced.append(1)).at([POINTS[0], POINTS[0]], ROWS)
    assert found[0] == found[1]
    assert len(serve.asked) == 1
    assert len(advanced) == 2


def test_refused_points_are_kept_too(file):
    refused = Outcome(failed="no room; a larger pool")
    Evaluations(file, "one", lambda points, rows: ((point, refused) for point in points)).at(POINTS, ROWS)
    assert Evaluations(file, "one", None).known.keys() == {json.dumps([ROWS, point]) for point in POINTS}
    assert set(Evaluations(file, "one", None).known.values()) == {refused}


def test_a_last_line_cut_short_is_dropped(file, serve):
    Evaluations(file, "one", serve).at(POINTS, ROWS)
    whole = file.read_text()
    file.write_text(whole[:-7])
    Evaluations(file, "one", serve).at(POINTS, ROWS)
    assert file.read_text() == whole
    assert serve.asked == [*POINTS, POINTS[1]]


@pytest.mark.parametrize("damage", ["not JSON", '{"values": {"a/b": 1}}', "[]", ""])
def test_a_damaged_or_foreign_file_is_set_aside_in_one_line(damage, file, serve, capsys):
    Evaluations(file, "one", serve).at(POINTS, ROWS)
    lines = file.read_text().splitlines()
    file.write_text("\n".join([lines[0], damage, *lines[1:], ""]))
    damaged = file.read_text()
    assert Evaluations(file, "one", serve).known == {}
    assert (file.parent / "evaluations.other.jsonl").read_text() == damaged
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("set aside as evaluations.other.jsonl")


def test_points_of_another_digest_are_not_taken(file, serve, capsys):
    Evaluations(file, "one", serve).at(POINTS, ROWS)
    Evaluations(file, "other", serve).at(POINTS, ROWS)
    assert serve.asked == POINTS * 2
    assert "of other sources or another configuration" in capsys.readouterr().err


def test_an_empty_file_is_begun_anew(file, serve):
    file.touch()
    Evaluations(file, "one", serve).at(POINTS, ROWS)
    assert len(Evaluations(file, "one", serve).known) == 2
