"""The result of a fit as one JSON document: made, read and checked."""

from dataclasses import asdict, fields
from importlib.metadata import version
from pathlib import Path

import numpy as np
import polars as pl

from headrace.calibration.course import Course
from headrace.calibration.judge import Point
from headrace.calibration.objective import Objective
from headrace.calibration.parameters import Parameter, settings
from headrace.calibration.solve import Solution
from headrace.errors import HeadraceError
from headrace.files import read_json
from headrace.scorecard.reference import KEYS

SECTIONS = ("parameters", "rows", "summary", "loss", "search", "made_with")


def document(
    solution: Solution,
    parameters: list[Parameter],
    rows: pl.DataFrame,
    spread: list[float],
    objective: Objective,
    chosen: dict,
    made_with: dict,
) -> dict:
    """Everything that a fit found and what it rests on; no date and no host, so that a fit can be repeated.

    rows: KEYS and `published`; spread: of each over draws at the start, as `Serving.spread` gives it.
    Errors are relative, (ours - published) / published, as in the scorecard; None where nothing was
    published but 0.
    chosen: the section `fit` of the study. made_with: digests of the sources and performance models.
    """
    before, after = solution.before, solution.after
    compared = [
        {
            **{key: row[key] for key in KEYS},
            "published": row["published"],
            "spread": round(one_spread, 6),
            "weight": round(weight, 6),
            "before": first,
            "after": last,
            "error_before": _relative(first, row["published"]),
            "error_after": _relative(last, row["published"]),
        }
        for row, one_spread, weight, first, last in zip(
            rows.iter_rows(named=True),
            spread,
            objective.weights,
            before.reproduced,
            after.reproduced,
            strict=True,
        )
    ]
    return {
        "simulated": True,
        "parameters": {parameter.path: _parameter(parameter, solution) for parameter in parameters},
        "rows": compared,
        "summary": _summary(compared),
        "loss": {"before": _parts(before), "after": _parts(after), "objective": chosen["objective"]},
        "search": {
            "optimiser": "CMA-ES",
            "seed": chosen["seed"],
            "population": chosen["population"],
            "luck": chosen["luck"],
            "worlds": chosen["worlds"],
            "stages": [_stage(course) for course in solution.courses],
        },
        "made_with": {"cma": version("cma"), "numpy": np.__version__, **made_with},
    }


def read_document(path: Path) -> dict:
    """A document that a fit wrote. Raises HeadraceError when it is missing, cut short or another."""
    found = read_json(path)
    for section in SECTIONS:
        if not isinstance(found, dict) or section not in found:
            raise HeadraceError(path, f"has no section {section!r}", "name a result of make calibrate")
    return found


def parameters_in(found: dict) -> list[Parameter]:
    """The parameters of a document, as they were fitted."""
    names = [field.name for field in fields(Parameter) if field.name != "path"]
    return [
        Parameter(path, **{name: keys[name] for name in names}) for path, keys in found["parameters"].items()
    ]


def fitted_values(found: dict) -> dict[str, float]:
    """All that the configuration is to hold by a document: fitted values and those that follow, by path."""
    fitted = {path: keys["fitted"] for path, keys in found["parameters"].items()}
    return settings(parameters_in(found), fitted)


def _parameter(parameter: Parameter, solution: Solution) -> dict:
    sides = zip(("moved_down", "moved_up"), solution.moved[parameter.path], strict=True)
    described = {key: value for key, value in asdict(parameter).items() if key != "path"}
    fitted = solution.after.values[parameter.path]
    return {
        **described,
        "fitted": fitted,
        "position": round(parameter.position(fitted), 6),
        **{
            side: None if found is None else dict(zip(("value", "misfit"), found, strict=True))
            for side, found in sides
        },
    }


def _stage(course: Course) -> dict:
    generations = [asdict(generation) for generation in course.generations]
    return {
        "of": course.stage.of,
        "parameters": [parameter.path for parameter in course.stage.parameters],
        "rows": len(course.stage.rows),
        "step": course.stage.step,
        "evaluations": generations[-1]["evaluations"],
        "loss_before": course.began.loss,
        "loss_after": course.ended.loss,
        "stopped": course.stopped,
        "refused": course.refused,
        "generations": generations,
    }


def _summary(rows: list[dict]) -> dict:
    """Median and P90 of the absolute relative error, by workload."""
    summary, rows = {}, [row for row in rows if row["published"]]
    for workload in sorted({row["workload"] for row in rows}):
        own = [row for row in rows if row["workload"] == workload]
        summary[workload] = {"rows": len(own)} | {
            f"{statistic}_{when}": float(np.quantile([abs(row[f"error_{when}"]) for row in own], share))
            for when in ("before", "after")
            for statistic, share in (("median", 0.5), ("p90", 0.9))
        }
    return summary


def _relative(ours: float, published: float) -> float | None:
    return (ours - published) / published if published else None


def _parts(point: Point) -> dict:
    return {"loss": point.loss, "misfit": point.misfit, "prior": point.loss - point.misfit}
