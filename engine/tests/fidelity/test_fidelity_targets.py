"""Every target, met and missed by a hair."""

import math

import polars as pl
import pytest

from headrace.fidelity import floor as floors
from headrace.fidelity.grid_targets import model_error
from headrace.fidelity.parity import COLUMNS as PARITY
from headrace.fidelity.targets import targets
from headrace.scorecard.reference import KEYS

POLICIES = ("default_vllm", "fcfs", "lcas", "mcps")
PRESSURE = {"artifact": "table4", "setting": "delay10_cost_published", "qps": 4.0}


def found(card, name, workload="crawler", **more):
    """The one target whose name begins so."""
    (target,) = [
        target
        for target in targets(card, **more)
        if target.name.startswith(name) and target.workload == workload
    ]
    return target


def test_the_median_is_met_at_its_bound_and_missed_above(card, row):
    for error, met in ((0.08, True), (0.0801, False)):
        rows = [row(1.0, 1.0 + share) for share in (0.01, error, 0.9)]
        target = found(card(*rows), "median of")
        assert (target.value, target.met, target.rows) == (pytest.approx(error), met, 3)


@pytest.mark.parametrize(("workload", "bound"), [("crawler", 0.25), ("anns", 0.20)])
def test_the_p90_is_met_at_its_bound_and_missed_above(card, row, workload, bound):
    for error, met in ((bound, True), (bound + 1e-4, False)):
        target = found(card(row(1.0, 1.0 - error, workload=workload)), "P90 of", workload)
        assert (target.value, target.met) == (pytest.approx(error), met)


def test_calibrated_excluded_input_p999_and_other_hardware_are_not_counted(card, row):
    wrong = {"published": 1.0, "reproduced": 9.0}
    counted = row(1.0, 1.05)
    left_out = [
        row(**wrong, role="calibrated"),
        row(**wrong, role="input"),
        row(**wrong, verdict="excluded"),
        row(**wrong, quantity="ttft_p99.9_s"),
        row(**wrong, quantity="speedup_vs_streaming_p50"),
        row(**wrong, hardware="h100-tp2"),
        row(1.0, None, verdict="missing"),
    ]
    target = found(card(counted, *left_out), "median of")
    assert (target.rows, target.value) == (1, pytest.approx(0.05))


def test_the_null_is_compared_on_its_own_rows_and_for_crawler_only(card, row):
    for null, met in ((0.2, True), (0.199, False)):
        rows = card(row(1.0, 1.1, null_error=-null), row(1.0, 5.0))
        target = found(rows, "median error over")
        assert target.met is met
        assert target.misses == (f"median 10% ours, {null:.0%} null",)
    anns = found(card(row(1.0, 1.1, workload="anns", null_error=0.1)), "median error over", "anns")
    assert (anns.status, anns.value) == ("for comparison", pytest.approx(1.0))


def test_intervals_hold_17_of_20_and_not_16(card, row):
    for right, met in ((17, True), (16, False)):
        inside = [row(1.0, 1.0, interval=(0.5, 2.0), qps=float(place)) for place in range(right)]
        outside = [row(1.0, 3.0, interval=(2.0, 4.0), qps=50.0 + place) for place in range(20 - right)]
        target = found(card(*inside, *outside), "published values inside our 95%")
        assert (target.right, target.rows, target.met) == (right, 20, met)


def test_a_sign_counts_where_the_interval_excludes_1(card, row):
    speedup = {"quantity": "speedup_vs_streaming_p95"}
    right = row(1.2, 1.5, interval=(1.1, 2.0), **speedup)
    unsure = row(0.5, 1.5, interval=(0.9, 2.0), **speedup)
    slower = row(0.7, 0.9, interval=(0.8, 0.95), **speedup)
    p999 = row(0.7, 1.5, interval=(1.1, 2.0), quantity="speedup_vs_streaming_p99.9")
    target = found(card(right, unsure, slower, p999), "sign of")
    assert (target.right, target.rows, target.met) == (2, 2, True)
    for published in (0.999, 1.0):
        wrong = row(published, 1.5, interval=(1.1, 2.0), **speedup)
        target = found(card(right, wrong), "sign of")
        assert (target.right, target.rows, target.met) == (1, 2, False)
        assert "speedup_vs_streaming_p95" in target.misses[0]


def ordered(card, row, workload="crawler", **seconds):
    rows = [
        row(
            1.0,
            value,
            workload=workload,
            quantity="ttft_p95_s",
            qps=4.0,
            policy="default_vllm" if name == "whole" else name,
            stream=name != "whole",
        )
        for name, value in seconds.items()
    ]
    lower_rate = row(1.0, 99.0, workload=workload, quantity="ttft_p95_s", policy="fcfs")
    return found(card(*rows, lower_rate), "order by P95", workload)


def test_the_order_is_that_of_the_highest_rate(card, row):
    seconds = {"lcas": 1.0, "fcfs": 1.1, "default_vllm": 2.0, "mcps": 3.0, "whole": 4.0}
    assert ordered(card, row, **seconds).met is True
    target = ordered(card, row, **seconds | {"mcps": 1.99})
    assert (target.met, target.right, target.rows) == (False, 8, 9)
    assert target.misses == ("default_vllm 2.00 s, not below mcps 1.99 s",)
    assert ordered(card, row, **seconds | {"mcps": 2.0}).met is False


def test_on_anns_default_streaming_may_stand_anywhere_among_the_fastest(card, row):
    seconds = {"lcas": 2.0, "fcfs": 2.1, "default_vllm": 1.0, "mcps": 3.0, "whole": 4.0}
    assert ordered(card, row, "anns", **seconds).met is True
    assert ordered(card, row, "crawler", **seconds).met is False


def test_no_order_without_all_of_them(card, row):
    target = ordered(card, row, lcas=1.0, default_vllm=2.0)
    assert (target.status, target.value) == ("not computed", None)


SPEEDUP = {"quantity": "speedup_vs_streaming_p99", "policy": "lcas"}
NAIVE_P99 = {"quantity": "ttft_p99_s", "policy": "default_vllm"}


@pytest.mark.parametrize(("name", "quantity"), [("collapse of", NAIVE_P99), ("speedups of FCFS", SPEEDUP)])
def test_pressure_holds_35_percent(card, row, name, quantity):
    keys = PRESSURE | {"artifact": "table3"} | quantity
    for reproduced, met in ((13.5, True), (6.5, True), (13.51, False), (6.49, False)):
        assert found(card(row(10.0, reproduced, **keys)), name).met is met
    for other in ({"setting": "delay10_cost_victim"}, {"policy": "mcps"}, {"role": "calibrated"}):
        assert found(card(row(10.0, 20.0, **keys | other)), name).status == "not computed"


def test_the_collapse_is_of_streaming(card, row):
    whole = row(10.0, 20.0, **PRESSURE | NAIVE_P99 | {"stream": False})
    assert found(card(whole), "collapse of").status == "not computed"


def test_preemptions_hold_a_factor_2(card, row):
    keys = PRESSURE | {"quantity": "preemptions"}
    for reproduced, met in ((200, True), (50, True), (201, False), (49, False), (0, False)):
        assert found(card(row(100.0, float(reproduced), **keys)), "preemptions by").met is met
    calibrated = row(100.0, 900.0, role="calibrated", **keys)
    assert found(card(row(100.0, 100.0, policy="lcas", **keys), calibrated), "preemptions by").met is True
    none = row(0.0, 0.0, **keys)
    assert found(card(none), "preemptions by").met is True


def test_shares_of_swaps_hold_10_points_where_0_was_published_too(card, row):
    keys = PRESSURE | {"quantity": "swap_share"}
    for published, reproduced, met in ((0.2, 0.3, True), (0.2, 0.301, False), (0.0, 0.1, True)):
        assert found(card(row(published, reproduced, **keys)), "share of swaps").met is met


def test_concurrency_holds_10_percent_on_crawler(card, row):
    keys = PRESSURE | {"quantity": "concurrent_requests_p50"}
    for reproduced, met in ((110.0, True), (90.0, True), (111.0, False)):
        assert found(card(row(100.0, reproduced, **keys)), "concurrent requests").met is met
    names = {(target.name, target.workload) for target in targets(card(row()))}
    assert not any(name.startswith("concurrent") and workload == "anns" for name, workload in names)


def test_parity_is_the_policy_that_is_farthest_off_by_its_median(card, row):
    def table(lcas):
        rows = [("crawler", "default_vllm", False, 0, 1.0, 1.0), ("crawler", "fcfs", True, 0, 0.99, 0.5)]
        rows += [("crawler", "lcas", True, world, ratio, 0.995) for world, ratio in enumerate(lcas)]
        return pl.DataFrame(rows, schema=PARITY, orient="row")

    name = "throughput with all arrivals"
    for ratios, met in (([0.5, 0.98, 1.1], True), ([0.5, 0.979, 1.1], False)):
        target = found(card(row()), name, parity=table(ratios))
        assert (target.rows, target.met) == (2, met)
        assert target.value == pytest.approx(1 - ratios[1])
    assert target.misses == ("lcas: -2% (0.979); the engine's busy time alone: 0.995",)
    assert found(card(row()), name).status == "not computed"


def test_the_floor_is_a_statistic_of_each_draw(card, row):
    keys = {key: row()[key] for key in KEYS}
    draws = [(1, 0.1, 0.3), (2, -0.2, 0.0), (3, 0.4, 0.4)]
    rows = [
        keys | {"qps": qps, "draw": draw, "error": error}
        for draw, *errors in draws
        for qps, error in zip((1.0, 2.0), errors, strict=True)
    ]
    other = keys | {"qps": 4.0, "draw": 1, "error": 99.0}
    floor = pl.DataFrame([*rows, other], schema=floors.SCHEMA)
    target = found(card(row(), row(qps=2.0)), "median of", floor=floor)
    spread = target.floor
    assert (spread.low, spread.middle, spread.high) == pytest.approx((0.1, 0.2, 0.4))
    assert found(card(row(qps=0.25)), "median of", floor=floor).floor is None


def test_streaming_over_not_streaming_is_shown_and_is_no_target(card, row):
    keys = PRESSURE | {"artifact": "table3"} | NAIVE_P99
    streaming, whole = row(10.0, 12.0, role="calibrated", **keys), row(5.0, 4.0, stream=False, **keys)
    target = found(card(streaming, whole), "error of P99, default streaming over non-streaming")
    assert (target.status, target.value) == ("for comparison", pytest.approx(0.5))
    assert target.how.startswith("2.00 published, 3.00 ours")
    assert target.name.endswith("delay10_cost_published, calibrated")
    names = {target.name for target in targets(card(streaming))}
    assert not any(name.startswith("error of P99") for name in names)


def log_row(row, error, spread, **keys):
    """A row that is `error` off, with an interval of 1.96 times `spread`; both of the logarithm."""
    half = 1.96 * spread
    return row(1.0, math.exp(error), interval=(math.exp(error - half), math.exp(error + half)), **keys)


def test_the_model_error_by_hand(card, row):
    """(100 (0.2^2 - 0.1^2) + 25 (0.1^2 - 0.2^2)) / 125 = 0.018."""
    rows = card(log_row(row, 0.2, 0.1), log_row(row, -0.1, 0.2))
    assert model_error(rows) == pytest.approx(math.sqrt(0.018))
    assert model_error(card(log_row(row, 0.1, 0.2))) == 0.0
    assert model_error(card()) is None


def test_the_widened_interval_adds_the_model_error_in_quadrature(card, row):
    """Error 0.5, spread 0.3 of the calibrated row: model 0.4; with 0.3 of a seen row, together 0.5."""
    fitted = log_row(row, 0.5, 0.3, role="calibrated")
    for error, right in ((0.979, 1), (-0.979, 1), (0.981, 0), (-0.981, 0)):
        rows = card(fitted, log_row(row, error, 0.3))
        target = found(rows, "published values inside the interval widened")
        assert (target.status, target.right, target.rows) == ("for comparison", right, 1)
        assert found(rows, "published values inside our 95%").right == 0
    alone = found(card(log_row(row, 0.1, 0.3)), "published values inside the interval widened")
    assert alone.value is None


def test_an_empty_scorecard_gives_every_target_and_none_is_met(card):
    for target in targets(card()):
        assert target.met is None
        assert (target.value, target.status) in ((None, "not computed"), (None, "for comparison"))
