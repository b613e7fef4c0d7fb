"""The section `fit` of the configuration, and the configuration against the fit that was kept."""

import re
from pathlib import Path

import pytest
import yaml

from headrace.calibration.check import fit_problems
from headrace.calibration.document import fitted_values, read_document
from headrace.calibration.show import markdown
from headrace.config import read_all
from headrace.places import Places
from headrace.validation import ConfigError

KEPT = Path("data/calibration/stream2llm.json")
FIT = "own.yaml: key fit.stream2llm"
STEP = "hardware/h200-tp2/overheads/step_s"
SKEW = "generators/crawler/size_skew"


def problems(fit, tmp_path):
    """Lines of the ConfigError for config.yaml with another fit on top."""
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"fit": {"stream2llm": fit}}), encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        read_all(["config/config.yaml", file])
    return str(error.value).replace(str(file), "own.yaml").splitlines()


def parameter(path, **keys):
    return {"parameters": {path: {"of": "a value", "start": 1.0, "low": 0.5, "high": 2.0} | keys}}


def stage(**keys):
    return {"stages": [{"of": "a stage", "parameters": ["*"], "evaluations": 24, "step": 0.1} | keys]}


@pytest.mark.parametrize(
    ("fit", "line"),
    [
        (
            parameter("hardware/h200-tp2/overheads/steps_s"),
            f"{FIT}.parameters.hardware/h200-tp2/overheads/steps_s: hardware/h200-tp2/overheads/steps_s"
            " leads nowhere: there is no 'steps_s'; did you mean 'step_s'?",
        ),
        (
            parameter("hardware/h200-tp2/gpu"),
            f"{FIT}.parameters.hardware/h200-tp2/gpu: hardware/h200-tp2/gpu is 'NVIDIA H200 SXM';"
            " name a number of the configuration",
        ),
        (
            parameter("hardware/h200-tp2/calibrated"),
            f"{FIT}.parameters.hardware/h200-tp2/calibrated: hardware/h200-tp2/calibrated is True;"
            " name a number of the configuration",
        ),
        (
            parameter(SKEW, start=3),
            f"{FIT}.parameters.{SKEW}: start 3 is not within 0.5 to 2.0; widen the bounds",
        ),
        (parameter(SKEW, low=2), f"{FIT}.parameters.{SKEW}: low 2 is not below high 2.0; widen the bounds"),
        (
            parameter(SKEW, low=0, scale="log"),
            f"{FIT}.parameters.{SKEW}: low 0 has no logarithm; a bound above 0, or scale: linear",
        ),
        (
            parameter(SKEW, integer=True),
            f"{FIT}.parameters.{SKEW}: integer, but a bound or the start is not; whole numbers",
        ),
        (
            parameter(SKEW, times={STEP: 2}),
            f"{FIT}: {STEP} is moved by 2 parameters; name it once",
        ),
        (
            parameter(SKEW, times={"generators/crawler/skew": 2}),
            f"{FIT}.parameters.{SKEW}: generators/crawler/skew leads nowhere: there is no 'skew';"
            " did you mean 'size_skew'?",
        ),
        (
            {"worlds": {"ann": 3}},
            f"{FIT}.worlds: unknown workload 'ann'; did you mean 'anns'?",
        ),
        (
            {"luck": {"crawlers": 3}},
            f"{FIT}.luck: unknown workload 'crawlers'; did you mean 'crawler'?",
        ),
        ({"luck": {"anns": 1}}, f"{FIT}.luck.anns: is 1 (integer); must be at least 2"),
        ({"luck": {"anns": 2.5}}, f"{FIT}.luck.anns: is 2.5 (number); must be an integer"),
        ({"objective": {"tolerance": 0}}, f"{FIT}.objective.tolerance: is 0 (integer); must be more than 0"),
        (
            {"objective": {"weights": {}}},
            f"{FIT}.objective.weights: unknown key; known: huber, prior, tolerance",
        ),
        (
            stage(evaluations=5),
            f"{FIT}.stages[0].evaluations: 5 evaluations are no generation of 12; ask for at least as many as"
            " the population has",
        ),
        (stage(step=0), f"{FIT}.stages[0].step: is 0 (integer); must be more than 0"),
        (stage(step=1.5), f"{FIT}.stages[0].step: is 1.5 (number); must be at most 1"),
        (
            stage(rows={"workloads": "crawler"}),
            f"{FIT}.stages[0].rows.workloads: unknown key; did you mean 'workload'?",
        ),
        (
            stage(parameters=["*", "generator/anns/*"]),
            f"{FIT}.stages[0].parameters[1]: 'generator/anns/*' selects no parameter;"
            " name paths under parameters; * stands for any text",
        ),
        (
            stage(parameters=["*/step_s"]),
            f"{FIT}.stages[0].parameters: selects one parameter; move at least two: CMA-ES takes no fewer",
        ),
        (
            stage(parameters=["hardware/*"]),
            f"config/studies/stream2llm.fit.yaml: key parameters.{SKEW}: is moved in no stage;"
            " add it to one, or remove it",
        ),
        ({"stages": []}, f"{FIT}.stages: is [] (list); needs at least 1 entry"),
        ({"populaton": 5}, f"{FIT}.populaton: unknown key; did you mean 'population'?"),
        ({"seed": -1}, f"{FIT}.seed: is -1 (integer); must be at least 0"),
    ],
)
def test_every_problem_is_one_line(fit, line, config, tmp_path):
    assert line in problems(fit, tmp_path)


@pytest.mark.parametrize("key", ["luck", "worlds"])
def test_a_workload_without_draws_is_one_line(key, config):
    del config["fit"]["stream2llm"][key]["anns"]
    (problem,) = fit_problems(config, Places([]))
    assert str(problem) == (
        f"config: key fit.stream2llm.{key}: misses workload 'anns'; say how many draws of it to serve"
    )


def test_a_fit_of_no_study_is_refused(config, tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"fit": {"stream3llm": config["fit"]["stream2llm"]}}))
    with pytest.raises(ConfigError, match=r"there is no study 'stream3llm'; did you mean 'stream2llm'\?"):
        read_all(["config/config.yaml", file])


def test_the_configuration_holds_what_the_kept_fit_found(config):
    """Value by value: an edit of either without the other fails here."""
    for path, fitted in fitted_values(read_document(KEPT)).items():
        found = config
        for key in path.split("/"):
            found = found[key]
        assert found == fitted, path


def test_the_kept_fit_is_one_of_the_declared_parameters(config):
    declared = config["fit"]["stream2llm"]["parameters"]
    kept = read_document(KEPT)["parameters"]
    assert kept.keys() == declared.keys()
    for path, keys in declared.items():
        assert {key: kept[path][key] for key in keys} == keys, path


def test_the_page_shows_the_kept_fit(config):
    text = Path("docs/calibration.md").read_text(encoding="utf-8")
    _, shown, _ = re.split(r"<!-- (?:end of )?fit -->\n", text)
    assert shown.strip() == markdown(read_document(KEPT)).strip()
