"""The course of a fit on a made-up simulator, whose numbers are simple functions of the values."""

import math
from collections import Counter

import pytest

from headrace.calibration.evaluations import Evaluations
from headrace.calibration.objective import Objective
from headrace.calibration.parameters import Parameter
from headrace.calibration.serving import Outcome
from headrace.calibration.solve import points_needed, solve
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

    def __call__(self, points):
        for point in points:
            if self.served.total() >= self.patience:
                raise KeyboardInterrupt
            self.served[tuple(point.values())] += 1
            refused = point["shape"] > self.highest
            yield point, Outcome(failed="too skewed") if refused else Outcome(respond(point))


def objective(prior=0.0):
    return Objective(["ttft_p50_s"] * 2, respond(TRUTH), huber=0.1, prior=prior, weights={})


def solved(file, made_up, evaluations=240, seed=3, prior=0.0):
    points = Evaluations(file, "digest", made_up)
    return solve(PARAMETERS, objective(prior), points, seed, evaluations, population=8)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "evaluations.jsonl"


def test_known_values_are_found(file):
    found = solved(file, MadeUp())
    assert found.after.loss < 1e-5 < found.before.loss
    assert found.after.values["time"] == pytest.approx(0.1, rel=0.01)
    assert found.after.values["shape"] == pytest.approx(1.2, rel=0.01)
    assert found.generations[-1].evaluations == 240
    assert [one.best for one in found.generations] == sorted(
        (one.best for one in found.generations), reverse=True
    )
    assert found.stopped == "evaluations"


def test_what_the_rows_do_not_fix_shows_and_stays_at_its_start_by_the_prior(file):
    found = solved(file, MadeUp(), evaluations=400, prior=0.02)
    assert found.after.values["idle"] == pytest.approx(0.5, abs=0.05)
    for value, misfit in found.moved["idle"]:
        assert abs(value - found.after.values["idle"]) == pytest.approx(0.1, abs=1e-3)
        assert misfit == pytest.approx(found.after.misfit)
    assert all(misfit > 10 * found.after.misfit for _, misfit in found.moved["time"])


def test_a_value_at_its_bound_is_not_moved_beyond(file):
    bounded = [Parameter("time", "a time", 0.01, 0.001, 0.02, scale="log"), SHAPE, IDLE]
    found = solve(bounded, objective(), Evaluations(file, "digest", MadeUp()), 3, 240, 8)
    assert found.after.values["time"] == 0.02
    down, up = found.moved["time"]
    assert up is None
    assert down[0] < 0.02


def test_refused_points_are_passed_over_and_counted(file):
    found = solved(file, MadeUp(highest=1.1))
    assert found.refused > 0
    assert found.after.values["shape"] <= 1.1
    assert found.after.loss < found.before.loss


def test_a_start_that_is_refused_ends_it(file):
    with pytest.raises(HeadraceError, match=r"^start of the fit: too skewed; correct the start"):
        solved(file, MadeUp(highest=0.1))


def test_a_fit_is_never_worse_than_its_start(file):
    perfect = Objective(["ttft_p50_s"] * 2, respond({"time": 0.01, "shape": 0.5}), 0.1, 0.0, {})
    found = solve(PARAMETERS, perfect, Evaluations(file, "digest", MadeUp()), 3, 8, 8)
    assert found.after.values == {"time": 0.01, "shape": 0.5, "idle": 0.5}


def test_the_same_seed_finds_the_same_and_another_does_not(tmp_path):
    one, two, other = (
        solved(tmp_path / f"{name}.jsonl", MadeUp(), evaluations=40, seed=seed)
        for name, seed in (("one", 3), ("two", 3), ("other", 4))
    )
    assert one == two
    assert one.generations != other.generations


@pytest.mark.parametrize("patience", [0, 1, 13, 41])
def test_an_interrupted_fit_goes_on_where_it_stopped(patience, tmp_path):
    whole = MadeUp()
    expected = solved(tmp_path / "whole.jsonl", whole, evaluations=40)
    broken, rest = MadeUp(patience=patience), MadeUp()
    with pytest.raises(KeyboardInterrupt):
        solved(tmp_path / "broken.jsonl", broken, evaluations=40)
    assert solved(tmp_path / "broken.jsonl", rest, evaluations=40) == expected
    assert broken.served + rest.served == whole.served
    assert broken.served.total() == patience


def test_a_larger_budget_takes_over_what_a_smaller_one_served(file):
    small, large = MadeUp(), MadeUp()
    solved(file, small, evaluations=40)
    solved(file, large, evaluations=80)
    assert not small.served.keys() & large.served.keys()
    assert large.served.total() >= 40


def test_points_are_announced(file):
    advanced = []
    points = Evaluations(file, "digest", MadeUp(), lambda: advanced.append(1))
    solve(PARAMETERS, objective(), points, 3, 43, 8)
    assert len(advanced) == points_needed(PARAMETERS, 43, 8) == 1 + 5 * 8 + 2 + 2 * 3
