import math

import polars as pl
import pytest

from headrace.errors import HeadraceError
from headrace.scorecard import score as scoring
from headrace.scorecard.reference import SCHEMA as PUBLISHED
from headrace.scorecard.samples import SCHEMA as SAMPLES

CELL = {
    "artifact": "inline",
    "hardware": "h200-tp2",
    "workload": "crawler",
    "setting": "main",
    "stream": True,
}


def keys(quantity="ttft_p95_s", policy="fcfs", qps=1.0, **more):
    return CELL | {"policy": policy, "qps": qps, "quantity": quantity} | more


def found(values, replayed=True, **more):
    rows = [
        keys(**more) | {"world": world, "value": float(value), "published_arrivals": replayed}
        for world, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=SAMPLES)


def published(value, role="seen", excluded=False, **more):
    row = keys(**more) | {"published": value, "role": role, "excluded": excluded}
    return pl.DataFrame([row], schema=PUBLISHED | {"role": pl.String, "excluded": pl.Boolean})


def scored(samples, reference):
    table = scoring.score(samples, reference)
    assert dict(table.schema) == dict(scoring.COLUMNS)
    return table.row(0, named=True)


def test_columns_are_those_of_the_design():
    names = (
        "artifact hardware workload setting qps policy stream quantity published reproduced pi_low pi_high"
    )
    assert list(scoring.COLUMNS) == [*names.split(), "rel_error", "null_error", "role", "verdict"]


def test_world_0_is_reproduced_where_it_replays_the_published_trace():
    row = scored(found([2.0, 1.0, 4.0]), published(1.6))
    assert row["reproduced"] == 2.0
    assert row["rel_error"] == pytest.approx(0.25)
    # logs 0, log 2, 2 log 2: mean log 2, s = log 2, t(2) = 4.30265
    half = 4.30265 * math.log(2) * math.sqrt(4 / 3)
    assert row["pi_low"] == pytest.approx(2 * math.exp(-half), rel=1e-4)
    assert row["pi_high"] == pytest.approx(2 * math.exp(half), rel=1e-4)
    assert row["verdict"] == "inside" and row["role"] == "seen"


def test_elsewhere_it_is_the_median_over_worlds():
    assert scored(found([2.0, 1.0, 4.0, 3.0], replayed=False), published(1.6))["reproduced"] == 2.5


def test_outside_the_interval():
    assert scored(found([1.0, 1.01, 0.99]), published(1.6))["verdict"] == "outside"


def test_worlds_that_all_agree_hold_the_same_number():
    assert (
        scored(found([7, 7, 7], quantity="preemptions"), published(7.0, quantity="preemptions"))["verdict"]
        == "inside"
    )


def test_one_world_gives_no_interval_and_no_verdict():
    row = scored(found([2.0]), published(1.6))
    assert row["reproduced"] == 2.0 and row["rel_error"] == pytest.approx(0.25)
    assert row["pi_low"] is None and row["pi_high"] is None and row["verdict"] is None


def test_without_a_published_number_the_value_is_held_out():
    row = scored(found([2.0, 3.0], hardware="h100-tp2"), published(1.6).clear())
    assert row["role"] == "held_out" and row["published"] is None
    assert row["reproduced"] == 2.0 and row["pi_low"] < 2.0
    assert row["rel_error"] is None and row["null_error"] is None and row["verdict"] is None


def test_a_published_number_that_was_not_simulated_is_missing():
    row = scored(found([1.0]).clear(), published(1.6))
    assert row["verdict"] == "missing" and row["reproduced"] is None and row["rel_error"] is None


def test_excluded_and_input_rows_are_shown_without_a_verdict():
    assert scored(found([2.0, 3.0]), published(1.6, excluded=True))["verdict"] == "excluded"
    row = scored(found([2.0, 3.0]), published(1.6, role="input"))
    assert row["verdict"] is None and row["rel_error"] == pytest.approx(0.25)


def test_nothing_is_relative_to_zero():
    row = scored(
        found([30, 31, 30], quantity="preemptions_swap"), published(0.0, quantity="preemptions_swap")
    )
    assert row["rel_error"] is None and row["verdict"] == "outside"


def test_the_null_baseline_stands_beside_our_error():
    reference = pl.concat(
        [
            published(1.0, role="calibrated", policy="default_vllm", qps=1.0),
            published(2.0, policy="fcfs", qps=1.0),
        ]
    )
    table = scoring.score(found([1.9, 2.1]), reference)
    row = table.filter(policy="fcfs").row(0, named=True)
    assert row["rel_error"] == pytest.approx(-0.05) and row["null_error"] == pytest.approx(-0.5)


def test_workload_rows_have_no_cell():
    nothing = {"hardware": None, "setting": None, "policy": None, "qps": None, "stream": None}
    nothing |= {"artifact": "table2", "quantity": "query_duration_p50_s"}
    row = scored(found([8.9, 9.1, 9.0], replayed=False, **nothing), published(8.67, role="input", **nothing))
    assert row["reproduced"] == 9.0 and row["published"] == 8.67


def test_csv_is_sorted_short_and_the_same_twice(tmp_path):
    samples = pl.concat(
        [found([2.0, 3.0], qps=qps, policy=policy) for policy in ("mcps", "fcfs") for qps in (4.0, 0.5)]
    )
    reference = published(1.23456789, qps=4.0)
    text = scoring.to_csv(scoring.score(samples, reference))
    assert text == scoring.to_csv(scoring.score(samples.reverse(), reference))
    lines = text.splitlines()
    assert lines[0] == ",".join(scoring.COLUMNS)
    assert [line.split(",")[4:7] for line in lines[1:]] == [
        ["0.5", "fcfs", "true"],
        ["0.5", "mcps", "true"],
        ["4.0", "fcfs", "true"],
        ["4.0", "mcps", "true"],
    ]
    assert lines[3].split(",")[8:10] == ["1.23457", "2"]
    assert lines[1].split(",")[8] == ""
    path = tmp_path / "scorecard.csv"
    path.write_text(text)
    assert scoring.read(path)["stream"].to_list() == [True] * 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: "", "can't be read"),
        (lambda text: text.replace("verdict", "judgement"), "misses column 'verdict'"),
        (lambda text: text.replace("role,verdict", "verdict,role"), "wrong columns (their order)"),
        (lambda text: text[: text.rindex("h200")], "line 3: has no role"),
        (lambda text: text.replace(",2,", ",two,"), "can't be read"),
    ],
)
def test_a_damaged_scorecard_is_named(tmp_path, change, words):
    path = tmp_path / "scorecard.csv"
    samples = pl.concat([found([2.0, 3.0], qps=qps) for qps in (1.0, 2.0)])
    path.write_text(change(scoring.to_csv(scoring.score(samples, published(1.6)))))
    with pytest.raises(HeadraceError) as error:
        scoring.read(path)
    assert str(path) in str(error.value) and words in str(error.value) and "\n" not in str(error.value)
    with pytest.raises(HeadraceError, match="no such file"):
        scoring.read(tmp_path / "absent.csv")
