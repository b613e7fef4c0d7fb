"""What a stage moves and which rows it looks at."""

from pathlib import Path

import pytest

from headrace.calibration.parameters import parameters_of
from headrace.calibration.rows import calibrated_rows
from headrace.calibration.stages import stages_of
from headrace.errors import HeadraceError
from headrace.scorecard.reference import read_reference

PLACE = "fit.stream2llm"


@pytest.fixture
def whole(config):
    """All calibrated rows."""
    return calibrated_rows(
        read_reference(Path("data/reference/stream2llm")), config["calibration"]["stream2llm"]
    )


@pytest.fixture
def stages(config, whole):
    """The stages of the project's fit, with keys of the first one replaced."""

    def given(**keys):
        fit = config["fit"]["stream2llm"]
        fit["stages"][0] |= keys
        return stages_of(fit, parameters_of(fit), whole, PLACE)

    return given


def test_the_projects_stages_see_what_their_values_can_move(stages, whole):
    overheads, anns, pressure, everything = stages()
    seen = [whole[list(stage.rows)] for stage in (overheads, anns, pressure)]
    assert [rows.height for rows in seen] == [32, 16, 18]
    assert set(seen[0].select("workload", "setting").rows()) == {("crawler", "main"), ("anns", "main")}
    assert set(seen[1]["workload"]) == {"anns"}
    assert set(seen[2]["setting"]) == {"main", "delay10_cost_published"}
    assert everything.rows == tuple(range(whole.height))


def test_every_value_has_a_stage_before_the_last_moves_all(stages, config):
    *first, everything = stages()
    moved = [parameter.path for stage in first for parameter in stage.parameters]
    assert set(moved) == set(config["fit"]["stream2llm"]["parameters"])
    assert [parameter.path for parameter in everything.parameters] == [
        *config["fit"]["stream2llm"]["parameters"]
    ]
    assert {path.split("/")[0] for path in (one.path for one in first[1].parameters)} == {"generators"}


def test_a_pattern_twice_moves_a_value_once(stages):
    first, *_ = stages(parameters=["*/step_s", "hardware/*/overheads/s*"])
    assert [parameter.path.rpartition("/")[2] for parameter in first.parameters] == ["step_s", "swap_block_s"]


@pytest.mark.parametrize(
    ("selector", "line"),
    [
        ({"workloads": "crawler"}, "rows.workloads: unknown column; did you mean 'workload'?"),
        ({"workload": "anna"}, "rows.workload: no published number has 'anna'; did you mean 'anns'?"),
        (
            {"workload": "anns", "qps": 4.0},
            "rows: selects no calibrated row; correct it, or leave it out for all rows",
        ),
    ],
)
def test_a_selection_of_nothing_is_one_line(selector, line, stages):
    with pytest.raises(HeadraceError) as error:
        stages(rows=selector)
    assert str(error.value) == f"{PLACE}.stages[0].{line}"
