"""What a cell is simulated from: its spec and the files behind it, from options or from files."""

from dataclasses import dataclass
from pathlib import Path

from headrace.cli.configuration import ROOT, read_configuration
from headrace.cli.given import given_workload
from headrace.errors import HeadraceError, nearest

STUDY = "stream2llm"


@dataclass(frozen=True, slots=True)
class Options:
    """The options of `headrace simulate`, as click reads them (headrace.cli.simulate)."""

    backend: str
    workload: str
    policy: str
    against: tuple[str, ...]
    eviction: str
    hardware: str
    qps: float
    delay: int
    stream: bool
    queries: int | None
    worlds: int
    seed: int | None
    token_budget: int | None
    kv_blocks: int | None
    slots: int | None
    tokeniser: str | None
    config: tuple[Path, ...]
    spec: Path | None
    chunks: Path | None
    arrivals: Path | None
    perf_model: Path | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """A cell's spec and files; `calibration`: what of its hardware was fitted to published rows."""

    spec: dict
    chunks: Path
    arrivals: Path
    perf_model: Path
    calibration: str = ""

    @property
    def provenance(self) -> str:
        """What every number of the cell says about itself."""
        note = f"; {self.calibration}" if self.calibration else ""
        return f"simulated; {self._decided}performance model {self.perf_model.stem}{note}"

    @property
    def _decided(self) -> str:
        if self.spec["backend"] == "sim":
            return ""
        from headrace.spec import PLUGIN
        from headrace.vllm.virtual import VLLM

        engine = ", ".join(f"{name} {self.spec['engine'][name]}".lower() for name in PLUGIN)
        return f"vLLM {VLLM} scheduler on a virtual clock ({engine}); "


def model_file(hardware: dict) -> Path:
    """The performance model that an entry of the configuration's hardware names."""
    return ROOT / hardware["perf_model"]["file"]


def from_files(options: Options) -> Inputs:
    """From a spec file and its tables. Raises HeadraceError when one of them is not named."""
    from headrace.spec import read_spec

    for name in ("chunks", "arrivals", "perf_model"):
        if getattr(options, name) is None:
            flag = f"--{name.replace('_', '-')}"
            raise HeadraceError("--spec", f"{flag} is missing", "a spec needs its three files beside it")
    return Inputs(read_spec(options.spec), options.chunks, options.arrivals, options.perf_model)


def from_options(options: Options, folder: Path) -> Inputs:
    """From the project's configuration and the options; what is generated lies in `folder`.

    The same functions as in the workflow make the tables and the spec, so a cell of the study comes out
    byte for byte. Raises HeadraceError for unknown names and as they do.
    """
    from headrace.scheduling import EVICTIONS, load
    from headrace.study import calibration_note, cell_spec
    from headrace.workload import write_arrivals

    for policy in (options.policy, *options.against):
        load(policy)
    config = read_configuration(options.config)
    for what, name, known in (
        ("hardware", options.hardware, config["hardware"]),
        ("eviction rule", options.eviction, EVICTIONS),
    ):
        if name not in known:
            raise HeadraceError(what, f"unknown {what} {name!r}", nearest(name, known))
    if options.seed is not None:
        config["seed"] = options.seed
    given = given_workload(
        options.workload,
        config,
        folder,
        worlds=options.worlds,
        queries=options.queries,
        tokeniser=options.tokeniser,
    )
    arrivals = options.arrivals
    if arrivals is None:
        arrivals = folder / f"{given.name}.arrivals.parquet"
        write_arrivals(given.queries, worlds=options.worlds, seed=config["seed"], out=arrivals)
    settings = {"source": given.source, "queries": given.queries, "worlds": options.worlds}
    config["workloads"].setdefault(given.name, {}).update(settings)
    axes = {
        key: getattr(options, key) for key in ("hardware", "delay", "eviction", "policy", "stream", "qps")
    }
    spec = cell_spec(config, STUDY, {"backend": options.backend, "workload": given.name, **axes})
    for name in ("token_budget", "kv_blocks", "slots"):
        if (value := getattr(options, name)) is not None:
            spec["engine"][name] = value
    hardware = config["hardware"][options.hardware]
    perf_model = model_file(hardware)
    if not perf_model.is_file():
        remedy = "build it (docs/performance-models.md, Adding a GPU)"
        raise HeadraceError(perf_model, f"no performance model of {options.hardware} yet", remedy)
    note = calibration_note(config["hardware"], [options.hardware])
    return Inputs(spec, given.chunks, arrivals, perf_model, note)
