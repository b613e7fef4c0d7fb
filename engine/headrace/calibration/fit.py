"""A fit: parameters of the configuration moved until the calibration set is reproduced best."""

from pathlib import Path

import polars as pl

from headrace.calibration.document import document
from headrace.calibration.evaluations import Evaluations
from headrace.calibration.judge import Judge
from headrace.calibration.objective import Objective, weight_by_luck
from headrace.calibration.parameters import parameters_of, settings, starts
from headrace.calibration.progress import progress
from headrace.calibration.rows import calibrated_rows
from headrace.calibration.serving import Serving
from headrace.calibration.solve import START, START_REMEDY, solve
from headrace.calibration.stages import stages_of
from headrace.calibration.workers import served_by
from headrace.errors import HeadraceError
from headrace.files import sha256, write_json
from headrace.perf import PerfModel
from headrace.scorecard.reference import read_reference
from headrace.study import cell_spec
from headrace.trial import changed

STUDY_ONLY = ("worlds", "typical_of")
"""Keys of a cell's spec that say which worlds a study draws: a fit draws its own."""


def run(
    config: dict, study: str, reference: Path, sources: str, out: Path, workers: int = 1, shown: bool = False
) -> None:
    """Fit the parameters of `config["fit"][study]`; write the result, `out`, as JSON.

    reference: folder of the published numbers, of which only rows with role `calibrated` are looked at.
    sources: digest of what serves a point. evaluations.jsonl beside `out` keeps every point that was
    served: a fit that was interrupted goes on from there. The same input gives the same bytes, whatever the
    number of `workers`. Raises HeadraceError for bad input, and where the start can't be served.
    """
    rows = calibrated_rows(read_reference(reference), config["calibration"][study])
    write_json(out, fit(config, study, rows, sources, out.with_name("evaluations.jsonl"), workers, shown))


def fit(
    config: dict,
    study: str,
    rows: pl.DataFrame,
    sources: str,
    kept: Path,
    workers: int = 1,
    shown: bool = False,
) -> dict:
    """The document of a fit to `rows` (of `calibrated_rows`); the file `kept` keeps the points."""
    chosen = config["fit"][study]
    parameters = parameters_of(chosen)
    stages = stages_of(chosen, parameters, rows, f"fit.{study}")
    serving = Serving(config, study, parameters, rows, chosen["worlds"])
    made_with = {"sources": sources, "perf_models": _perf_models(config, serving)}
    basis = sha256(made_with | _served(config, study, serving))
    with progress(shown) as told, served_by(workers, serving) as serve:
        told.begin("spread of each row over draws", 1)
        spread = _spread(serving, chosen["luck"])
        told.advance()
        objective = _objective(rows, spread, **chosen["objective"])
        judge = Judge(parameters, objective, Evaluations(kept, basis, serve, told.advance))
        solution = solve(judge, stages, chosen["seed"], chosen["population"], told)
    return document(solution, parameters, rows, spread, objective, chosen, made_with)


def _spread(serving: Serving, draws: dict[str, int]) -> list[float]:
    try:
        return serving.spread(starts(serving.parameters), draws)
    except HeadraceError as error:
        raise HeadraceError(START, str(error), START_REMEDY) from error


def _objective(
    rows: pl.DataFrame, spread: list[float], huber: float, prior: float, tolerance: float
) -> Objective:
    weights = [weight_by_luck(one, tolerance) for one in spread]
    return Objective(rows["quantity"].to_list(), rows["published"].to_list(), huber, prior, weights)


def _perf_models(config: dict, serving: Serving) -> dict[str, str]:
    """Hashes of the performance models, by hardware."""
    hardware = sorted({axes["hardware"] for axes in serving.cells})
    files = {name: Path(config["hardware"][name]["perf_model"]["file"]) for name in hardware}
    return {name: PerfModel.load(file).sha256 for name, file in files.items()}


def _served(config: dict, study: str, serving: Serving) -> dict:
    """All that an outcome depends on but sources, performance models and the values that are moved."""
    moved = settings(serving.parameters, starts(serving.parameters))
    rest = changed(config, dict.fromkeys(moved))
    specs = [cell_spec(rest, study, axes) for axes in serving.cells]
    return {
        "cells": [{key: value for key, value in spec.items() if key not in STUDY_ONLY} for spec in specs],
        "generators": {axes["workload"]: rest["generators"][axes["workload"]] for axes in serving.cells},
        "worlds": serving.worlds,
        "rows": serving.rows.rows(),
        "times": {parameter.path: dict(parameter.times) for parameter in serving.parameters},
    }
