"""What is wrong with the section `fit` of a configuration that its schema has accepted."""

from collections import Counter
from collections.abc import Iterator

from headrace.errors import HeadraceError, nearest
from headrace.places import Places


def fit_problems(config: dict, places: Places) -> Iterator[HeadraceError]:
    """Paths that lead to no number, bounds that hold no start, worlds of no workload, a budget too small."""
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
        for workload in sorted(fit["worlds"].keys() ^ served.keys()):
            here = places.of(("fit", study, "worlds"))
            if workload in served:
                yield HeadraceError(
                    here, f"misses workload {workload!r}", "say how many worlds of it to draw"
                )
            else:
                yield HeadraceError(here, f"unknown workload {workload!r}", nearest(workload, served))
        if fit["evaluations"] < fit["population"]:
            here = places.of(("fit", study, "evaluations"))
            problem = f"{fit['evaluations']} evaluations are no generation of {fit['population']}"
            yield HeadraceError(here, problem, "ask for at least as many as the population has")


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
