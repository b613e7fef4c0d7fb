"""The course of a fit on a made-up simulator, whose numbers are simple functions of the values."""

import itertools
import math
from collections import Counter

import pytest

from headrace.calibration.course import points_needed
from headrace.calibration.evaluations import Evaluations
from headrace.calibration.judge import Judge
from headrace.calibration.objective import Objective
from headrace.calibration.parameters import Parameter
from headrace.calibration.progress import Progress
from headrace.calibration.serving import Outcome
from headrace.calibration.solve import solve
from headrace.calibration.stages import Stage
from headrace.errors import HeadraceError

TIME = Parameter("time", "a time", 0.01, 0.001, 1.0, scale="log")
SHAPE = Parameter("shape", "a shape", 0.5, 0.0, 2.0)
IDLE = Parameter("idle", "of no consequence", 0.5, 0.0, 1.0)
PARAMETERS = [TIME, SHAPE, IDLE]
TRUTH = {"time": 0.1, "shape": 1.2}


def respond(values):
    """Two quantities that tell both parameters apart."""
    return [values["time"] * math.exp(values["shape"]), math.exp(values["shape"] - 2 * values["time"])]


class MadeUp:
    """Serves points; refuses shapes above `highest`; is interrupted after `patience` points."""

    def __init__(self, highest=math.inf, patience=math.inf):
        self.highest, self.patience, self.served = highest, patience, Counter()

    def __call__(self, points, rows):
        for point in points:
            if self.served.total() >= self.patience:
                raise KeyboardInterrupt
            self.served[(rows, *point.values())] += 1
            refused = point["shape"] > self.highest
            reproduced = [respond(point)[row] for row in rows]
            yield point, Outcome(failed="too skewed") if refused else Outcome(reproduced)


def objective(prior=0.0):
    return Objective(["ttft_p50_s"] * 2, respond(TRUTH), huber=0.1, prior=prior, weights=[1.0, 1.0])


def together(evaluations, parameters=PARAMETERS):
    return [Stage("all together", tuple(parameters), (0, 1), evaluations, 0.15)]


def solved(file, made_up, evaluations=240, seed=3, prior=0.0, stages=None):
    """In one stage unless others are given."""
    judge = Judge(PARAMETERS, objective(prior), Evaluations(file, "digest", made_up))
    return solve(judge, stages or together(evaluations), seed, population=8)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "evaluations.jsonl"


def test_known_values_are_found(file):
    found = solved(file, MadeUp())
    assert found.after.loss < 1e-5 < found.before.loss
    assert found.after.values["time"] == pytest.approx(0.1, rel=0.01)
    assert found.after.values["shape"] == pytest.approx(1.2, rel=0.01)
    (course,) = found.courses
    assert course.generations[-1].evaluations == 240
    assert [one.best for one in course.generations] == sorted(
        (one.best for one in course.generations), reverse=True
    )
    assert course.stopped == "evaluations"
    assert course.began == found.before
    assert course.ended == found.after


def test_a_stage_moves_its_values_only_and_asks_for_its_rows_only(file):
    stages = [
        Stage("the shape", (SHAPE, IDLE), (1,), 80, 0.15),
        Stage("the time", (TIME, IDLE), (0,), 80, 0.15),
        Stage("both", (TIME, SHAPE), (0, 1), 200, 0.05),
    ]
    made_up = MadeUp()
    found = solved(file, made_up, stages=stages)
    shape, time, _ = found.courses
    assert shape.ended.values["time"] == TIME.start
    assert time.ended.values["shape"] == shape.ended.values["shape"] != SHAPE.start
    # with the time at its start, 0.01: exp(shape - 0.02) is that of the truth, exp(1.2 - 0.2)
    assert shape.ended.values["shape"] == pytest.approx(1.02, abs=0.005)
    assert shape.ended.misfit < 1e-5 < shape.began.misfit
    assert found.after.values["time"] == pytest.approx(0.1, rel=0.01)
    assert found.after.values["shape"] == pytest.approx(1.2, rel=0.01)
    assert found.after.values["idle"] == time.ended.values["idle"]
    assert {point[0] for rows, *point in made_up.served if rows == (1,)} == {TIME.start}
    assert {point[1] for rows, *point in made_up.served if rows == (0,)} == {shape.ended.values["shape"]}


def test_each_stage_begins_where_the_one_before_ended_and_never_ends_worse(file):
    stages = [Stage(f"{index}", (TIME, SHAPE), (0, 1), 16, 0.1) for index in range(3)]
    found = solved(file, MadeUp(), stages=stages)
    for one, other in itertools.pairwise(found.courses):
        assert other.began == one.ended
    assert all(course.ended.loss <= course.began.loss for course in found.courses)
    assert found.courses[-1].ended == found.after


def test_each_stage_has_random_numbers_of_its_own(file):
    """The same stage twice, from the same point: the second asks for others."""
    perfect = Objective(["ttft_p50_s"] * 2, respond({"time": 0.01, "shape": 0.5}), 0.1, 0.0, [1.0, 1.0])
    judge = Judge(PARAMETERS, perfect, Evaluations(file, "digest", MadeUp()))
    first, second = solve(judge, together(8) * 2, 3, 8).courses
    assert first.ended.values == second.ended.values
    assert first.generations != second.generations


def test_stages_that_make_all_rows_worse_are_not_adopted(file):
    """A row of little weight is met by a shape that leaves the other one far off."""
    slow_s, fast_s = respond({"time": 0.01, "shape": 0.5})
    torn = Objective(["ttft_p99.9_s", "ttft_p50_s"], [3 * slow_s, fast_s], 0.1, 0.0, [0.1, 1.0])
    judge = Judge(PARAMETERS, torn, Evaluations(file, "digest", MadeUp()))
    stages = [Stage("one row", (SHAPE, IDLE), (0,), 80, 0.3)]
    found = solve(judge, stages, 3, 8)
    assert found.courses[0].ended.loss < found.courses[0].began.loss
    assert found.after == found.before


def test_what_the_rows_do_not_fix_shows_and_stays_at_its_start_by_the_prior(file):
    found = solved(file, MadeUp(), evaluations=400, prior=0.02)
    assert found.after.values["idle"] == pytest.approx(0.5, abs=0.05)
    for value, misfit in found.moved["idle"]:
        assert abs(value - found.after.values["idle"]) == pytest.approx(0.1, abs=1e-3)
        assert misfit == pytest.approx(found.after.misfit)
    assert all(misfit > 10 * found.after.misfit for _, misfit in found.moved["time"])


def test_a_value_at_its_bound_is_not_moved_beyond(file):
    bounded = [Parameter("time", "a time", 0.01, 0.001, 0.02, scale="log"), SHAPE, IDLE]
    judge = Judge(bounded, objective(), Evaluations(file, "digest", MadeUp()))
    found = solve(judge, together(240, bounded), 3, 8)
    assert found.after.values["time"] == 0.02
    down, up = found.moved["time"]
    assert up is None
    assert down[0] < 0.02


def test_refused_points_are_passed_over_and_counted(file):
    found = solved(file, MadeUp(highest=1.1))
    assert found.courses[0].refused > 0
    assert found.after.values["shape"] <= 1.1
    assert found.after.loss < found.before.loss


def test_a_start_that_is_refused_ends_it(file):
    with pytest.raises(HeadraceError, match=r"^start of the fit: too skewed; correct the start"):
        solved(file, MadeUp(highest=0.1))


def test_a_fit_is_never_worse_than_its_start(file):
    perfect = Objective(["ttft_p50_s"] * 2, respond({"time": 0.01, "shape": 0.5}), 0.1, 0.0, [1.0, 1.0])
    judge = Judge(PARAMETERS, perfect, Evaluations(file, "digest", MadeUp()))
    found = solve(judge, together(8), 3, 8)
    assert found.after.values == {"time": 0.01, "shape": 0.5, "idle": 0.5}


def test_the_same_seed_finds_the_same_and_another_does_not(tmp_path):
    one, two, other = (
        solved(tmp_path / f"{name}.jsonl", MadeUp(), evaluations=40, seed=seed)
        for name, seed in (("one", 3), ("two", 3), ("other", 4))
    )
    assert one == two
    assert one.courses != other.courses


@pytest.mark.parametrize("patience", [0, 1, 13, 41, 55])
def test_an_interrupted_fit_goes_on_where_it_stopped(patience, tmp_path):
    """Also where the first stage, of 40 points, was over."""
    stages = [Stage("one row", (TIME, SHAPE), (0,), 40, 0.15), *together(16)]
    whole = MadeUp()
    expected = solved(tmp_path / "whole.jsonl", whole, stages=stages)
    broken, rest = MadeUp(patience=patience), MadeUp()
    with pytest.raises(KeyboardInterrupt):
        solved(tmp_path / "broken.jsonl", broken, stages=stages)
    assert solved(tmp_path / "broken.jsonl", rest, stages=stages) == expected
    assert broken.served + rest.served == whole.served
    assert broken.served.total() == patience


def test_a_larger_budget_takes_over_what_a_smaller_one_served(file):
    small, large = MadeUp(), MadeUp()
    solved(file, small, evaluations=40)
    solved(file, large, evaluations=80)
    assert not small.served.keys() & large.served.keys()
    assert large.served.total() >= 40


def test_points_are_announced(file):
    class Noted(Progress):
        def __init__(self):
            self.parts = []

        def begin(self, part, total):
            super().begin(part, total)
            self.parts.append([part, total, 0, None])

        def _show(self):
            self.parts[-1][2:] = self.done, self.loss

    told = Noted()
    judge = Judge(PARAMETERS, objective(), Evaluations(file, "digest", MadeUp(), told.advance))
    stages = [Stage("the time", (TIME, IDLE), (0,), 16, 0.15), *together(43)]
    solve(judge, stages, 3, 8, told)
    assert [part for part, *_ in told.parts] == [
        "start, all rows",
        "stage 1 of 2: the time",
        "stage 2 of 2: all together",
        "end, all rows",
        "each value moved alone",
    ]
    assert [total for _, total, *_ in told.parts] == [1, 1 + 2 * 8 + 2, 1 + 5 * 8 + 2, 1, 2 * 3]
    assert all(done == total for _, total, done, _ in told.parts)
    assert [bool(loss) for *_, loss in told.parts] == [False, True, True, False, False]
    assert points_needed(stages[1], 8) == 1 + 5 * 8 + 2
