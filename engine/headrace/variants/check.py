"""What is wrong with the runs beside the grid: names that stand for nothing, paths that lead nowhere."""

from collections.abc import Iterable, Iterator

from headrace.errors import HeadraceError, nearest
from headrace.places import Keys, Places
from headrace.scheduling import EVICTIONS, POLICIES
from headrace.variants.definition import BASELINE, QUANTITIES, number_at, shown_hardware, shown_path

Fault = tuple[Keys, str, str]


def variant_problems(config: dict, places: Places) -> Iterator[HeadraceError]:
    """Every fault of the key `variants`. The schema has accepted the tree."""
    for study, definition in config.get("variants", {}).items():
        root: Keys = ("variants", study)
        if study not in config["studies"]:
            remedy = nearest(study, config["studies"])
            yield HeadraceError(places.of(root), f"no study is called {study!r}", remedy)
            continue
        found = [
            *_counted(config, study, definition),
            *_evictions(definition),
            *_claims(config, study, definition["sensitivity"]),
            *_assumptions(config, study, definition["sensitivity"]),
        ]
        for keys, problem, remedy in found:
            yield HeadraceError(places.of((*root, *keys)), problem, remedy)


def _counted(config: dict, study: str, definition: dict) -> Iterator[Fault]:
    """How many worlds: of workloads that the study has, and of all of them."""
    workloads = config["studies"][study]["workloads"]
    for part, key in (("floor", "draws"), ("parity", "worlds"), ("sensitivity", "worlds")):
        given = definition[part][key]
        for name in given:
            yield from _unknown((part, key, name), "workload", name, workloads)
        for name in sorted(workloads.keys() - given.keys()):
            yield (part, key), f"says nothing of workload {name!r}", f"add {name}: 1 or more"


def _evictions(definition: dict) -> Iterator[Fault]:
    for index, name in enumerate(definition["floor"]["evictions"]):
        yield from _unknown(("floor", "evictions", index), "eviction rule", name, EVICTIONS)


def _claims(config: dict, study: str, sensitivity: dict) -> Iterator[Fault]:
    yield from _twice("claims", sensitivity)
    known = {
        "workload": config["studies"][study]["workloads"],
        "eviction": EVICTIONS,
        "policy": POLICIES,
    }
    for index, claim in enumerate(sensitivity["claims"]):
        keys: Keys = ("sensitivity", "claims", index, "quantity")
        yield from _unknown(keys, "quantity", claim["quantity"], QUANTITIES)
        for part in ("cell", "over"):
            for key, names in known.items():
                if key in claim.get(part, {}):
                    keys = ("sensitivity", "claims", index, part, key)
                    yield from _unknown(keys, key, claim[part][key], names)


def _assumptions(config: dict, study: str, sensitivity: dict) -> Iterator[Fault]:
    yield from _twice("assumptions", sensitivity)
    hardware = shown_hardware(config["studies"][study])
    for index, assumption in enumerate(sensitivity["assumptions"]):
        here: Keys = ("sensitivity", "assumptions", index)
        if assumption["name"] == BASELINE:
            yield (*here, "name"), f"is {BASELINE!r}, the name for nothing moved", "rename it"
        for place, path in enumerate(assumption["paths"]):
            try:
                if hardware in config["hardware"]:
                    number_at(config, shown_path(path, hardware))
            except HeadraceError as error:
                yield (*here, "paths", place), f"{error.place}: {error.problem}", error.remedy


def _twice(kind: str, sensitivity: dict) -> Iterator[Fault]:
    names = [each["name"] for each in sensitivity[kind]]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("sensitivity", kind, index, "name"), f"{name!r} is there twice", "rename one of them"


def _unknown(keys: Keys, what: str, name: str, known: Iterable[str]) -> Iterator[Fault]:
    if name not in known:
        yield keys, f"unknown {what} {name!r}", nearest(name, known)
