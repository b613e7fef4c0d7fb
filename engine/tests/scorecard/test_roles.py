from pathlib import Path

import polars as pl
import pytest
import yaml

from headrace.errors import HeadraceError
from headrace.scorecard.reference import read_reference
from headrace.scorecard.roles import assign

ROOT = Path(__file__).parents[3]
DECLARED = yaml.safe_load((ROOT / "config/studies/stream2llm.calibration.yaml").read_text())


@pytest.fixture(scope="module")
def published():
    return read_reference(ROOT / "data" / "reference" / "stream2llm")


def test_the_declared_calibration_set_is_default_vllm_at_the_ends_and_two_pressure_numbers(published):
    calibrated = assign(published, DECLARED).filter(role="calibrated")
    main = calibrated.filter(setting="main")
    assert set(main.select("workload", "qps").rows()) == {
        ("crawler", 0.5),
        ("crawler", 4.0),
        ("anns", 0.25),
        ("anns", 2.0),
    }
    assert set(main["policy"]) == {"default_vllm"} and set(main["stream"]) == {True, False}
    assert main.height == 4 * 2 * 4
    pressure = calibrated.filter(pl.col("setting") != "main")
    assert pressure.select("setting", "policy", "stream", "quantity", "published").sort(
        "quantity"
    ).rows() == [
        ("delay10_cost_published", "default_vllm", True, "preemptions", 1735.0),
        ("delay10_cost_published", "default_vllm", True, "ttft_p99_s", 12.6538),
    ]


def test_workload_statistics_are_input_and_the_rest_is_seen(published):
    rows = assign(published, DECLARED)
    assert set(rows.filter(pl.col("artifact").is_in(["table2", "fig8-10"]))["role"]) == {"input"}
    assert set(rows.filter(policy="fcfs", setting="main")["role"]) == {"seen"}
    assert set(rows.filter(qps=1.0, policy="default_vllm")["role"]) == {"seen"}


def test_the_unexplained_row_and_ratios_to_it_are_excluded(published):
    rows = assign(published, DECLARED).filter("excluded", pl.col("setting").is_not_null())
    assert rows.height == 2 + 2 * 3
    assert set(rows["workload"]) == {"anns"}
    assert set(rows["quantity"]) == {"ttft_p50_s", "speedup_vs_non_streaming_p50"}
    assert set(rows.filter(quantity="ttft_p50_s")["stream"]) == {False}


def test_nothing_declared_everything_seen(published):
    rows = assign(published, {})
    assert set(rows["role"]) == {"seen"} and not rows["excluded"].any()


def test_a_whole_number_is_a_rate_too(published):
    selector = {"artifact": "inline", "qps": 4, "policy": "default_vllm"}
    assert assign(published, {"calibrated": [selector]}).filter(role="calibrated").height == 8


@pytest.mark.parametrize(
    ("calibration", "words"),
    [
        ([], ["calibration", "no mapping"]),
        ({"calibratd": []}, ["calibration.calibratd", "'calibrated'"]),
        ({"input": {"artifact": "table2"}}, ["calibration.input", "is no list"]),
        ({"input": [{}]}, ["calibration.input[0]", "no selector"]),
        ({"input": [{"artefact": "table2"}]}, ["calibration.input[0].artefact", "'artifact'"]),
        ({"calibrated": [{"policy": "fcsf"}]}, ["calibration.calibrated[0].policy", "'fcsf'", "'fcfs'"]),
        ({"calibrated": [{"qps": 8.0}]}, ["calibration.calibrated[0].qps", "8.0"]),
        ({"calibrated": [{"stream": "true"}]}, ["calibration.calibrated[0].stream", "'true'"]),
        ({"calibrated": [{"qps": True}]}, ["calibration.calibrated[0].qps", "True"]),
        ({"excluded": [{"artifact": "table2", "policy": "fcfs"}]}, ["calibration.excluded[0]", "selects no"]),
        ({"input": [{"artifact": "fig12"}], "calibrated": [{"artifact": "fig12"}]}, ["fig12", "both"]),
    ],
)
def test_a_wrong_declaration_is_named(published, calibration, words):
    with pytest.raises(HeadraceError) as error:
        assign(published, calibration)
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text
