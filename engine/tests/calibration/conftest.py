from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from headrace.calibration.parameters import parameters_of, settings, starts
from headrace.calibration.rows import calibrated_rows
from headrace.config import read_all
from headrace.scorecard.reference import read_reference
from headrace.trial import changed

REPOSITORY = Path(__file__).parents[3]
REFERENCE = REPOSITORY / "data/reference/stream2llm"


@pytest.fixture
def config(monkeypatch) -> dict:
    """The project's configuration; tests run at the root of the repository."""
    monkeypatch.chdir(REPOSITORY)
    return read_all(["config/config.yaml"])


@pytest.fixture
def small(config) -> Callable[..., dict]:
    """Few queries and draws, and a fit of the given parameters only; one stage unless others are given.

    All values are at their declared start, so that no test depends on what a fit has found.
    """

    def cut(*paths: str, evaluations: int = 12, population: int = 6, stages: list | None = None) -> dict:
        parameters = parameters_of(config["fit"]["stream2llm"])
        config.update(changed(config, settings(parameters, starts(parameters))))
        config["workloads"]["crawler"]["queries"] = 120
        config["workloads"]["anns"]["queries"] = 40
        fit = config["fit"]["stream2llm"]
        fit["parameters"] = {path: fit["parameters"][path] for path in paths}
        one = {"of": "all values", "parameters": ["*"], "evaluations": evaluations, "step": 0.15}
        fit |= {"worlds": {"crawler": 1, "anns": 1}, "luck": {"crawler": 2, "anns": 2}}
        fit |= {"population": population, "stages": stages or [one]}
        fit["objective"] = {"huber": 0.1, "prior": 0.0, "tolerance": 0.05}
        return config

    return cut


@pytest.fixture
def rows(config) -> pl.DataFrame:
    """The calibrated rows of the highest rates."""
    whole = calibrated_rows(read_reference(REFERENCE), config["calibration"]["stream2llm"])
    return whole.filter(pl.col("qps") >= 2.0, setting="main")
