"""A configuration in itself: names that stand for nothing, and choices that need others."""

from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path

from headrace.calibration.check import fit_problems
from headrace.errors import HeadraceError, nearest
from headrace.perf import PerfModel
from headrace.places import Keys, Places
from headrace.scheduling import EVICTIONS, POLICIES
from headrace.variants.check import variant_problems


def contradictions(config: dict, places: Places) -> Iterator[HeadraceError]:
    """Names that stand for nothing, and choices that need others. The schema has accepted the tree."""
    for study, definition in config["studies"].items():
        yield from _unknown_names(config, study, definition, places)
        yield from _mixed_evictions(study, definition, places)
        if study not in config["calibration"]:
            remedy = f"name its file under files.calibration.{study}"
            yield HeadraceError(places.of(("studies", study)), "has no calibration set", remedy)
    served = {name for definition in config["studies"].values() for name in definition["workloads"]}
    for name in sorted(config["workloads"].keys() - served):
        place = places.of(("workloads", name))
        yield HeadraceError(place, f"no study has a workload {name!r}", nearest(name, served))
    used = {
        setting["workload"]
        for definition in config["studies"].values()
        for part in definition["grid"].values()
        for setting in part["settings"]
    }
    for workload in sorted(used & config["workloads"].keys()):
        yield from _source_problems(config, workload, places)
    yield from _data_problems(config, places)
    yield from variant_problems(config, places)
    yield from fit_problems(config, places)


def _unknown_names(config: dict, study: str, definition: dict, places: Places) -> Iterator[HeadraceError]:
    root: Keys = ("studies", study)

    def check(what: str, keys: Keys, name: str, known: Iterable[str]) -> Iterator[HeadraceError]:
        if name not in known:
            yield HeadraceError(places.of((*root, *keys)), f"unknown {what} {name!r}", nearest(name, known))

    yield from check("model", ("model",), definition["model"], config["models"])
    for index, policy in enumerate(definition["policies"]):
        yield from check("policy", ("policies", index, "policy"), policy["policy"], POLICIES)
    for name in definition["workloads"]:
        yield from check("workload", ("workloads", name), name, config["workloads"])
    workloads = config["workloads"].keys() & definition["workloads"].keys()
    for part, grid in definition["grid"].items():
        here: Keys = ("grid", part)
        for index, name in enumerate(grid["hardware"]):
            yield from check("hardware", (*here, "hardware", index), name, config["hardware"])
            yield from _wrong_perf_model(config, name, definition["model"], places)
        for index, name in enumerate(grid["evictions"]):
            yield from check("eviction rule", (*here, "evictions", index), name, EVICTIONS)
        for index, setting in enumerate(grid["settings"]):
            keys = (*here, "settings", index, "workload")
            yield from check("workload", keys, setting["workload"], workloads)


def _mixed_evictions(study: str, definition: dict, places: Places) -> Iterator[HeadraceError]:
    """Cells without stretched waits are one setting, whatever their eviction rule: there can be but one."""
    first: dict[tuple, str] = {}
    for part, grid in definition["grid"].items():
        mains = [setting for setting in grid["settings"] if setting["delay"] == 1]
        for setting, hardware, eviction in product(mains, grid["hardware"], grid["evictions"]):
            for qps in setting["qps"]:
                run = setting["workload"], hardware, float(qps)
                if first.setdefault(run, eviction) != eviction:
                    place = places.of(("studies", study, "grid", part, "evictions"))
                    problem = f"{first[run]} and {eviction} for the same cells with delay 1"
                    yield HeadraceError(place, problem, "name one of them, or stretch the waits")


def _wrong_perf_model(config: dict, hardware: str, model: str, places: Places) -> Iterator[HeadraceError]:
    if hardware not in config["hardware"]:
        return
    keys, found = ("hardware", hardware, "perf_model"), config["hardware"][hardware]["perf_model"]
    if found["model"] != model:
        remedy = f"the study runs {model!r}: name a table of it"
        yield HeadraceError(places.of((*keys, "model")), f"is {found['model']!r}", remedy)
    place = places.of((*keys, "file"))
    if not Path(found["file"]).is_file():
        remedy = "name a JSON file, relative to the repository; make perf-models builds one"
        yield HeadraceError(place, f"there is no file {found['file']!r}", remedy)
        return
    try:
        loaded = PerfModel.load(found["file"])
    except HeadraceError as error:
        yield error
        return
    wanted = {
        "hardware": hardware,
        "model": found["model"],
        "provider": found["provider"],
        "tensor_parallel": config["hardware"][hardware]["tensor_parallel"],
    }
    for key, value in wanted.items():
        if getattr(loaded, key) != value:
            problem = f"{found['file']} has {key} {getattr(loaded, key)}, not {value}"
            yield HeadraceError(place, problem, "name the file of this hardware, or correct the key")


def _source_problems(config: dict, workload: str, places: Places) -> Iterator[HeadraceError]:
    source = config["workloads"][workload]["source"]
    place = places.of(("workloads", workload, "source"))
    if source == "synthetic":
        if workload not in config["generators"]:
            remedy = f"name the file of its parameters under files.generators.{workload}"
            yield HeadraceError(place, f"workload {workload!r} has no generator", remedy)
        return
    if source == "published":
        published = config["published"]
        if published["folders"].get(workload) is None:
            problem = f"is not set, but workloads.{workload}.source is published"
            remedy = f"name the folder of {published['repo']} with the traces"
            yield HeadraceError(places.of(("published", "folders", workload)), problem, remedy)
    elif not Path(source).is_dir():
        problem = f"{source!r} is no folder, and no other source is called so"
        yield HeadraceError(place, problem, "synthetic, published or a folder with traces")
    yield from _tokeniser_problems(config["tokeniser"], places)


def _data_problems(config: dict, places: Places) -> Iterator[HeadraceError]:
    published, folder = config["published"], config["data"]
    readers = [
        f"workloads.{name}.source"
        for name, workload in config["workloads"].items()
        if workload["source"] == "published"
    ]
    readers += ["backend"] * (config["backend"] == "published")
    if folder is not None and not Path(folder).is_dir():
        yield HeadraceError(places.of(("data",)), f"{folder!r} is no folder", "name that of the data set")
    elif folder is None and readers and published["revision"] is None:
        problem = f"is not set, but {readers[0]} is published"
        remedy = f"name the commit of {published['repo']} to download, or its folder with the key data"
        yield HeadraceError(places.of(("published", "revision")), problem, remedy)


def _tokeniser_problems(tokeniser: dict, places: Places) -> Iterator[HeadraceError]:
    if tokeniser["kind"] == "transformers" and not tokeniser.get("name"):
        remedy = "name a tokenizer of the hub or a folder, or set kind: tekken"
        yield HeadraceError(places.of(("tokeniser",)), "has no name", remedy)
    if tokeniser["kind"] == "tekken" and tokeniser.get("name"):
        problem = f"names {tokeniser['name']!r}, but kind is tekken, which needs no name"
        yield HeadraceError(places.of(("tokeniser", "name")), problem, "set name: null")
