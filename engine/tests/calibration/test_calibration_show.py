"""A fit on the terminal and as Markdown."""

import json
import re

import polars as pl
import pytest
from click.testing import CliRunner

from headrace.calibration.course import Course
from headrace.calibration.document import document
from headrace.calibration.judge import Point
from headrace.calibration.objective import Objective
from headrace.calibration.parameters import Parameter
from headrace.calibration.search import Generation
from headrace.calibration.solve import Solution
from headrace.calibration.stages import Stage
from headrace.cli import main
from headrace.plots.convergence import draw
from headrace.scorecard.reference import KEYS

STEP = Parameter("hardware/h200-tp2/overheads/step_s", "per step", 0.004, 0.001, 0.1, scale="log")
SKEW = Parameter("generators/crawler/size_skew", "a shape", 1.0, 0.0, 2.0)
IDLE = Parameter("generators/anns/pool_overlap", "a share", 0.5, 0.0, 1.0)
CELL = {"artifact": "inline", "hardware": "h200-tp2", "workload": "crawler", "setting": "main", "qps": 4.0}
CELL |= {"policy": "default_vllm", "stream": True}
ROWS = [
    {**CELL, "quantity": "ttft_p50_s", "published": 0.1},
    {**CELL, "quantity": "ttft_p99_s", "published": 2.0},
    {**CELL, "stream": False, "quantity": "ttft_p50_s", "published": 0.4},
    {**CELL, "setting": "delay10_cost_published", "quantity": "preemptions", "published": 0.0},
]


@pytest.fixture
def found():
    rows = pl.DataFrame(ROWS, schema=KEYS | {"published": pl.Float64})
    weights = [0.98047, 0.3, 1.0, 1 / 17]
    objective = Objective(rows["quantity"].to_list(), rows["published"].to_list(), 0.1, 0.002, weights)
    before = Point({STEP.path: 0.004, SKEW.path: 1.0, IDLE.path: 0.5}, [0.05, 3.0, 0.5, 7.0], 0.5, 0.5)
    after = Point({STEP.path: 0.1, SKEW.path: 1.2, IDLE.path: 0.5}, [0.11, 1.9, 0.4, 2.0], 0.04, 0.05)
    moved = {
        STEP.path: [(0.063, 0.06), None],
        SKEW.path: [(1.0, 0.03), (1.4, None)],
        IDLE.path: [(0.4, 0.0401), (0.6, 0.0399)],
    }
    halfway = Point(after.values | {SKEW.path: 1.0}, [0.2, 1.9], 0.2, 0.21)
    first = Stage("the step", (STEP, IDLE), (0, 1), 24, 0.15)
    last = Stage("all | values", (STEP, SKEW, IDLE), (0, 1, 2, 3), 1200, 0.05)
    courses = [
        Course(
            first, before, halfway, [Generation(12, 0.3, 0.6), Generation(24, 0.21, 0.4)], "evaluations", 0
        ),
        Course(last, halfway, after, [Generation(12, 0.2, 0.4), Generation(1200, 0.05, 0.1)], "tolfun", 1),
    ]
    solution = Solution(before, after, courses, moved)
    chosen = {
        "objective": {"huber": 0.1},
        "seed": 1,
        "population": 12,
        "luck": {"crawler": 9},
        "worlds": {"crawler": 2},
    }
    spread = [0.007056, 0.0764, 0.0, 0.2]
    return document(solution, [STEP, SKEW, IDLE], rows, spread, objective, chosen, {"sources": "abc"})


@pytest.fixture
def headrace(found, tmp_path, monkeypatch):
    """Runs the command beside a result."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fit.json").write_text(json.dumps(found))
    return lambda *arguments: CliRunner().invoke(main, ["calibration", *arguments])


def test_errors_are_relative_and_of_nothing_there_is_none(found):
    first, second, _, preemptions = found["rows"]
    assert (first["error_before"], first["error_after"]) == (pytest.approx(-0.5), pytest.approx(0.1))
    assert (second["before"], second["after"]) == (3.0, 1.9)
    assert (preemptions["error_before"], preemptions["error_after"]) == (None, None)


def test_every_row_says_how_far_it_is_luck_and_what_it_weighs(found):
    told = [(row["spread"], row["weight"]) for row in found["rows"]]
    assert told == [(0.007056, 0.98047), (0.0764, 0.3), (0.0, 1.0), (0.2, 0.058824)]
    assert found["search"]["luck"] == {"crawler": 9}


def test_the_summary_is_of_absolute_errors(found):
    # before 50, 50, 25 %; fitted 10, 5, 0 %; P90 linear between order statistics
    summary = found["summary"]["crawler"]
    assert summary["rows"] == 3
    assert summary["median_before"] == pytest.approx(0.5)
    assert summary["median_after"] == pytest.approx(0.05)
    assert summary["p90_after"] == pytest.approx(0.09)


def test_the_terminal_shows_cells_parameters_and_how_to_adopt(headrace):
    text = headrace("show", "fit.json").stdout
    plain = " ".join(text.split())
    assert "CMA-ES, 2 stages, 1,224 evaluations, seed 1: loss 0.5 at the start, 0.05 fitted" in plain
    assert "(0.04 of it misfit" in plain
    assert re.search(r"1: the step +evaluations +2 +2 +24 +0\.5 +0\.21", text)
    assert re.search(r"2: all \| values +tolfun +3 +4 +1,200 +0\.21 +0\.05", text)
    assert re.search(r"crawler, 4 QPS, streaming +-50 to \+10 % +\+50 to -5 %", text)
    assert re.search(r"crawler, 4 QPS, non-streaming +\+25 to \+0 %", text)
    assert re.search(r"7\.00 to 2\.00", text)
    assert re.search(r"crawler, 4 QPS, streaming +0\.007, 0\.98 +0\.076, 0\.30", text)
    assert re.search(r"crawler, 4 QPS, non-streaming +0\.000, 1\.00", text)
    assert re.search(r"0\.200, 0\.06", text)
    assert max(map(len, text.splitlines())) <= 100
    assert re.search(r"h200-tp2/step_s +0\.004 +0\.1 ! +0\.001 \.\. 0\.1 +\+50% +-", text)
    assert re.search(r"crawler/size_skew +1 +1\.2 +0 \.\. 2 +-25% +-", text)
    assert "at a bound (within 2% of the range): h200-tp2/step_s." in plain
    assert "changes by less than 2%): anns/pool_overlap." in plain
    assert "the prior holds it): crawler/size_skew." in plain
    assert "headrace calibration adopt fit.json" in plain


def test_markdown_has_the_same_tables(headrace):
    text = headrace("show", "--markdown", "fit.json").stdout
    assert re.search(r"^\| crawler, 4 QPS, streaming +\| +-50 to \+10 % \| \+50 to -5 % \|", text, re.M)
    assert text.count("**Calibrated rows**") == 1
    tables = re.findall(r"(?:^\|.*\n)+", text, re.M)
    assert re.search(r"^\| crawler, 4 QPS, streaming +\| +0\.007, 0\.98 \| 0\.076, 0\.30 \|", text, re.M)
    assert len(tables) == 5
    for table in tables:
        assert len({line.replace("\\|", "").count("|") for line in table.splitlines()}) == 1


def test_the_figure_names_every_value_and_is_the_same_each_time(headrace, tmp_path):
    for name in ("one", "two"):
        draw([tmp_path / "fit.json"], tmp_path / name, provenance="simulated; made up")
    svg = (tmp_path / "one.svg").read_bytes()
    assert svg == (tmp_path / "two.svg").read_bytes()
    for text in ("h200-tp2/step_s", "crawler/size_skew", "simulated; made up", "2 all | values"):
        assert f"<!-- {text}".encode() in svg or text.encode() in svg


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("{", "not valid JSON"),
        ("[]", "has no section 'parameters'; name a result of make calibrate"),
        ('{"parameters": {}}', "has no section 'rows'"),
    ],
)
@pytest.mark.parametrize("command", ["show", "adopt"])
def test_another_file_is_one_line(command, content, line, headrace, tmp_path):
    (tmp_path / "fit.json").write_text(content)
    done = headrace(command, "fit.json")
    assert done.exit_code == 1
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == 1
