"""What is wrong with the section `fit` of a configuration that its schema has accepted."""

from collections import Counter
from collections.abc import Iterator

from headrace.calibration.parameters import named
from headrace.errors import HeadraceError, nearest
from headrace.places import Keys, Places


def fit_problems(config: dict, places: Places) -> Iterator[HeadraceError]:
    """Paths without a number, bounds without the start, draws of no workload, stages that move nothing."""
    for study, fit in config.get("fit", {}).items():
        place = places.of(("fit", study))
        if study not in config["studies"]:
            yield HeadraceError(place, f"there is no study {study!r}", nearest(study, config["studies"]))
            continue
        for path, keys in fit["parameters"].items():
            here = places.of(("fit", study, "parameters", path))
            yield from _wrong_bounds(keys, here)
            for moved in (path, *keys.get("times", {})):
                yield from _leads_nowhere(config, moved, here)
        yield from _moved_twice(fit["parameters"], place)
        served = config["studies"][study]["workloads"]
        for key in ("luck", "worlds"):
            here = places.of(("fit", study, key))
            for workload in sorted(fit[key].keys() ^ served.keys()):
                if workload in served:
                    remedy = "say how many draws of it to serve"
                    yield HeadraceError(here, f"misses workload {workload!r}", remedy)
                else:
                    yield HeadraceError(here, f"unknown workload {workload!r}", nearest(workload, served))
        yield from _wrong_stages(fit, ("fit", study), places)


def _wrong_stages(fit: dict, keys: Keys, places: Places) -> Iterator[HeadraceError]:
    for index, stage in enumerate(fit["stages"]):
        for at, pattern in enumerate(stage["parameters"]):
            if not any(named(path, [pattern]) for path in fit["parameters"]):
                here = places.of((*keys, "stages", index, "parameters", at))
                remedy = "name paths under parameters; * stands for any text"
                yield HeadraceError(here, f"{pattern!r} selects no parameter", remedy)
        if sum(named(path, stage["parameters"]) for path in fit["parameters"]) == 1:
            here = places.of((*keys, "stages", index, "parameters"))
            yield HeadraceError(here, "selects one parameter", "move at least two: CMA-ES takes no fewer")
        if stage["evaluations"] < fit["population"]:
            here = places.of((*keys, "stages", index, "evaluations"))
            problem = f"{stage['evaluations']} evaluations are no generation of {fit['population']}"
            yield HeadraceError(here, problem, "ask for at least as many as the population has")
    patterns = [pattern for stage in fit["stages"] for pattern in stage["parameters"]]
    for path in fit["parameters"]:
        if not named(path, patterns):
            here = places.of((*keys, "parameters", path))
            yield HeadraceError(here, "is moved in no stage", "add it to one, or remove it")


def _wrong_bounds(keys: dict, place: str) -> Iterator[HeadraceError]:
    low, start, high = keys["low"], keys["start"], keys["high"]
    if not low < high:
        yield HeadraceError(place, f"low {low} is not below high {high}", "widen the bounds")
    elif not low <= start <= high:
        yield HeadraceError(place, f"start {start} is not within {low} to {high}", "widen the bounds")
    elif keys.get("scale") == "log" and low <= 0:
        yield HeadraceError(place, f"low {low} has no logarithm", "a bound above 0, or scale: linear")
    elif keys.get("integer") and not all(isinstance(keys[key], int) for key in ("low", "start", "high")):
        yield HeadraceError(place, "integer, but a bound or the start is not", "whole numbers")


def _leads_nowhere(config: dict, path: str, place: str) -> Iterator[HeadraceError]:
    found: object = config
    for key in path.split("/"):
        if not isinstance(found, dict) or key not in found:
            known = [*map(str, found)] if isinstance(found, dict) else []
            yield HeadraceError(place, f"{path} leads nowhere: there is no {key!r}", nearest(key, known))
            return
        found = found[key]
    if isinstance(found, bool) or not isinstance(found, int | float):
        yield HeadraceError(place, f"{path} is {found!r}", "name a number of the configuration")


def _moved_twice(parameters: dict, place: str) -> Iterator[HeadraceError]:
    moved = Counter(path for own, keys in parameters.items() for path in (own, *keys.get("times", {})))
    for path, times in moved.items():
        if times > 1:
            yield HeadraceError(place, f"{path} is moved by {times} parameters", "name it once")
