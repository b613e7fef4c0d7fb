"""The worst rows and their explanations."""

from pathlib import Path

import pytest
import yaml

from headrace.errors import HeadraceError
from headrace.fidelity.worst import check, worst_rows
from headrace.scorecard.reference import read_reference

ROOT = Path(__file__).parents[3]
PUBLISHED = read_reference(ROOT / "data/reference/stream2llm")
FCFS = {"select": {"policy": "fcfs"}, "why": "It comes first."}
P95 = {"select": {"quantity": ["ttft_p95_s", "ttft_p99_s"], "qps": 2.0}, "why": "The tail."}


def test_rows_by_error_each_with_the_first_explanation_that_selects_it(card, row):
    rows = [
        row(1.0, 1.1, policy="mcps"),
        row(1.0, 0.5, policy="fcfs", quantity="ttft_p95_s", qps=2.0),
        row(1.0, 1.3, policy="lcas", quantity="ttft_p95_s", qps=2.0),
        row(1.0, 9.0, workload="anns"),
    ]
    found = worst_rows(card(*rows), [FCFS, P95], "crawler")
    told = [(explained.row["policy"], explained.why) for explained in found]
    assert told == [("fcfs", "It comes first."), ("lcas", "The tail."), ("mcps", None)]
    assert worst_rows(card(*rows), [P95, FCFS], "crawler")[0].why == "The tail."
    assert len(worst_rows(card(*rows), [], "crawler", count=2)) == 2


def test_what_restates_another_row_or_is_not_seen_is_left_out(card, row):
    table4 = {"artifact": "table4", "setting": "delay10_recompute", "qps": 4.0}
    cost = table4 | {"setting": "delay10_cost_published"}
    rows = [
        row(1.0, 3.0, quantity="preemptions", **table4),
        row(1.0, 3.0, quantity="preemptions_recompute", **table4),
        row(1.0, 3.0, quantity="preemptions_recompute", **cost),
        row(1.0, 3.0, quantity="speedup_vs_streaming_p50"),
        row(1.0, 3.0, role="calibrated"),
        row(1.0, 3.0, verdict="excluded"),
    ]
    found = [explained.row for explained in worst_rows(card(*rows), [], "crawler")]
    assert [(found_row["quantity"], found_row["setting"]) for found_row in found] == [
        ("preemptions", "delay10_recompute"),
        ("preemptions_recompute", "delay10_cost_published"),
    ]


@pytest.mark.parametrize(
    ("explanation", "said"),
    [
        ({"select": {"polcy": "fcfs"}, "why": "x"}, "unknown column; did you mean 'policy'"),
        ({"select": {"policy": "fcsf"}, "why": "x"}, "no published number has 'fcsf'; did you mean 'fcfs'"),
        (
            {"select": {"policy": "fcfs", "stream": False}, "why": "x"},
            r"rows\[1\].select: selects no published number",
        ),
        ({"select": {}, "why": "x"}, "is no selector"),
        ({"select": {"policy": "fcfs"}, "why": " "}, r"rows\[1\].why: is no text"),
        ({"select": {"policy": "fcfs"}, "wy": "x", "why": "y"}, "unknown key; did you mean 'why'"),
    ],
)
def test_a_faulty_explanation_is_one_line(explanation, said):
    with pytest.raises(HeadraceError, match=said) as error:
        check([FCFS, explanation], PUBLISHED)
    assert "\n" not in str(error.value)


def test_those_of_the_configuration_select_published_numbers():
    given = yaml.safe_load((ROOT / "config/studies/stream2llm.explanations.yaml").read_text())
    check(given["rows"], PUBLISHED)
