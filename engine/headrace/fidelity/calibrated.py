"""What a fit did to the calibrated rows, told shortly from the file that it left."""

from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import read_json
from headrace.tables.markdown import NONE, escape, number, percent, table

AGAIN = "make it again: make calibrate"


def calibration_tables(path: Path) -> list[str]:
    """Markdown: errors before and after, by workload; the fitted values. `path` is the result of a fit.

    Raises HeadraceError when the file is missing or says something else.
    """
    found = read_json(path)
    try:
        errors = [
            [
                escape(workload),
                str(group["rows"]),
                *(
                    percent(group[f"{name}_{when}"])
                    for name in ("median", "p90")
                    for when in ("before", "after")
                ),
            ]
            for workload, group in sorted(found["summary"].items(), reverse=True)
        ]
        values = [
            [f"`{name}`", *(_value(keys[field]) for field in ("start", "low", "high", "fitted"))]
            for name, keys in sorted(found["parameters"].items())
        ]
        loss = [number(found["loss"][when]["loss"]) for when in ("before", "after")]
    except (KeyError, TypeError, AttributeError) as error:
        raise HeadraceError(path, f"is no result of a fit ({error!r})", AGAIN) from error
    return [
        f"The loss fell from {loss[0]} to {loss[1]}. Absolute relative errors of the calibrated rows, each a"
        " median over the worlds of the fit:",
        table(
            ("workload", "rows", "median before", "after", "P90 before", "after"),
            errors,
            labels=1,
        ),
        "Values that were fitted, with their bounds:",
        table(("value", "before", "lowest", "highest", "fitted"), values, labels=1),
    ]


def _value(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
