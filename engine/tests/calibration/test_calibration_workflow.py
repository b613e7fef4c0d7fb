"""The rule `calibrate`."""

import json
import re
from collections import Counter

import pytest
from repository_copy import copy_repository, snakemake

from headrace.calibration.document import read_document

FIT = "results/stream2llm/variants/calibration/fit.json"
SMALL = """\
workloads: {crawler: {queries: 60}, anns: {queries: 20}}
fit:
  stream2llm:
    population: 4
    worlds: {crawler: 1, anns: 1}
    luck: {crawler: 2, anns: 2}
    stages:
      - {of: anns shapes, parameters: [generators/anns/*], rows: {workload: anns}, evaluations: 4, step: 0.15}
      - {of: all values, parameters: ["*"], evaluations: 4, step: 0.05}
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the repository with a small fit that was run."""
    folder = copy_repository(tmp_path_factory.mktemp("headrace"))
    (folder / "small.yaml").write_text(SMALL)
    done = snakemake(folder, "calibrate", "--configfile", "small.yaml", together=True)
    assert done.returncode == 0, done.stdout
    return folder


def test_the_rule_writes_a_fit_and_keeps_its_points(copy):
    found = read_document(copy / FIT)
    parameters, rows = len(found["parameters"]), len(found["rows"])
    assert rows == 34
    assert [stage["of"] for stage in found["search"]["stages"]] == ["anns shapes", "all values"]
    assert [stage["rows"] for stage in found["search"]["stages"]] == [16, 34]
    assert found["loss"]["after"]["loss"] <= found["loss"]["before"]["loss"]
    head, *points = (copy / FIT).with_name("evaluations.jsonl").read_text().splitlines()
    assert len(json.loads(head)["digest"]) == 64
    served = Counter(len(json.loads(point)["rows"]) for point in points)
    assert served.keys() == {16, 34}
    assert 1 + 4 <= served[16] <= 1 + 4 + 2
    assert 1 + 4 + parameters < served[34] <= 1 + 1 + 4 + 2 + 2 * parameters
    assert str(copy) not in (copy / FIT).read_text()


def test_an_adopted_fit_is_not_made_again(copy):
    """What the fit moves stands in the configuration at another value now; the fit depends on none of it."""
    hardware = copy / "config/hardware.yaml"
    text = hardware.read_text()
    hardware.write_text(re.sub(r"^( +step_s:) \S+", r"\1 0.0071", text, count=1, flags=re.M))
    done = snakemake(copy, "calibrate", "--configfile", "small.yaml", "--dry-run", together=True)
    assert "Nothing to be done" in done.stdout, done.stdout
    hardware.write_text(text)


def test_a_change_of_the_engine_makes_it_again(copy):
    (copy / "engine.yaml").write_text(SMALL + "studies: {stream2llm: {engine: {slots: 512}}}\n")
    done = snakemake(copy, "calibrate", "--configfile", "engine.yaml", "--dry-run", together=True)
    assert "Params have changed" in done.stdout


def test_another_budget_makes_it_again_from_the_kept_points(copy):
    before = (copy / FIT).with_name("evaluations.jsonl").read_text()
    (copy / "more.yaml").write_text(SMALL.replace("evaluations: 4, step: 0.05", "evaluations: 8, step: 0.05"))
    stamp = (copy / FIT).stat().st_mtime_ns
    done = snakemake(copy, "calibrate", "--configfile", "more.yaml", together=True)
    assert done.returncode == 0, done.stdout
    assert (copy / FIT).stat().st_mtime_ns != stamp
    after = (copy / FIT).with_name("evaluations.jsonl").read_text()
    assert after.startswith(before)
    assert [len(stage["generations"]) for stage in read_document(copy / FIT)["search"]["stages"]] == [1, 2]


def test_the_study_does_not_wait_for_a_fit(copy):
    done = snakemake(copy, "--dry-run", together=True)
    assert done.returncode == 0, done.stdout
    assert not re.search(r"^(?:local)?rule calibrate:", done.stdout, re.M)
