"""Measure a performance model on a running vLLM: the times of its steps and swaps, its software included.

    python -m headrace.vllm.profile --hardware h200-tp2 --out h200.json

The engine is started with the plugin's scheduler and swap connector, and with random weights of the sizes in
config/models.yaml; nothing is downloaded. docs/performance-models.md says what is measured.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click

from headrace.errors import HeadraceError
from headrace.files import read_json, sha256, write_json
from headrace.perf.architecture import Model
from headrace.perf.documents import MEASURED_TOKENS, document
from headrace.perf.hardware import load_hardware, load_models, pick
from headrace.perf.model import PerfModel, write_model
from headrace.perf.profiler.devices import HOST_SHARE, available_bytes, software
from headrace.perf.profiler.grid import check_model
from headrace.perf.profiler.launch import follow
from headrace.perf.profiler.process import check_writable
from headrace.perf.profiler.progress import progress
from headrace.vllm.cells.settings import (
    QUIET_AND_OFFLINE,
    EngineSize,
    Settings,
    check_installed,
    vllm_version,
    words_of,
)
from headrace.vllm.cells.weights import DUMMY, prepare
from headrace.vllm.profile.grid import Room, make_grid
from headrace.vllm.profile.sections import sections

TOKEN_BUDGET, SLOTS, BLOCK_SIZE = 8192, 256, 16


def profile(
    hardware: str,
    hardware_file: str | Path,
    models_file: str | Path,
    out: str | Path,
    model: str | None = None,
    token_budget: int = TOKEN_BUDGET,
    slots: int = SLOTS,
    block_size: int = BLOCK_SIZE,
    kv_blocks: int | None = None,
    max_model_len: int | None = None,
    gpu_memory_utilization: float = 0.9,
    extra_args: dict | None = None,
    date: str | None = None,
) -> PerfModel:
    """Start an engine on the devices of `hardware`, measure it and write the performance model to `out`.

    model: another one than the hardware names; token_budget, slots, block_size: of the engine, in tokens,
    requests and tokens; the file's tables end at token_budget. kv_blocks: None for what the memory gives;
    max_model_len: None for the model's. extra_args: further arguments of vLLM's engine.

    `out` is written when everything is measured. What an interrupted profile had measured lies beside it,
    as `<out>.partial`, and the next one of the same engine goes on from there.

    Raises HeadraceError for an unknown hardware or model, other devices than the entry says, an `out` that
    can't be written, a vLLM that is missing, of another release or does not start, and an engine too small.
    """
    place = f"{hardware_file}: {hardware}"
    machine = pick(load_hardware(hardware_file), hardware, hardware_file)
    model_name = model or machine.perf_model.model
    architecture = pick(load_models(models_file), model_name, models_file)
    settings = Settings(gpu_memory_utilization=gpu_memory_utilization, extra_args=extra_args or {})
    settings.check("extra_args")
    check_writable(out)
    check_installed()
    from headrace.vllm.cells.engine import check_device, engine_args
    from headrace.vllm.private import check_version

    check_version()
    gpus = machine.tensor_parallel
    device = "cpu" if check_device(machine.gpu, gpus, place) == "cpu" else "cuda"
    check_model(architecture, model_name, gpus, device, place)
    size = EngineSize(
        tensor_parallel=gpus,
        kv_blocks=kv_blocks or 0,
        host_blocks=host_blocks(architecture, block_size, available_bytes()),
        block_size=block_size,
        slots=slots,
        token_budget=token_budget,
    )
    longest = max_model_len or architecture.max_context_tokens
    with tempfile.TemporaryDirectory() as folder:
        weights = prepare(
            architecture, None, None, DUMMY, Path(folder, model_name), Path(folder, "weights.json")
        )
        arguments = engine_args(size, settings, weights, architecture.dtype, longest, 2 * slots)
        if kv_blocks is None:
            del arguments["num_gpu_blocks_override"]
        told = {name: value for name, value in arguments.items() if name != "model"}
        with started(arguments, place) as engine:
            scheduler = engine.scheduler
            room = Room(
                scheduler.limits.token_budget,
                scheduler.limits.slots,
                scheduler.limits.blocks,
                scheduler.limits.host_blocks,
                scheduler.limits.block_size,
                scheduler.max_model_len,
            )
            grid = make_grid(room, place)
            ran_on = {
                "device": device,
                "devices": [machine.gpu] * gpus,
                "vllm": vllm_version(),
                "software": software(device),
                "engine": told,
                "room": asdict(room),
            }
            print(
                f"profiling {model_name} on {gpus} x {machine.gpu} with {vllm_version()}: "
                f"{grid.measurements} measurements",
                file=sys.stderr,
                flush=True,
            )
            kept = Kept(Path(f"{out}.partial"), sha256([asdict(architecture), ran_on, grid.left_out]))
            from headrace.vllm.profile.steps import measure

            with progress(grid.measurements, True) as advance:
                measured = measure(engine, grid, room.block_size, weights.vocabulary, kept, advance)
    built = sections(measured, grid.left_out, ran_on)
    sealed = document("vllm", hardware, machine, model_name, architecture, built, date, place)
    if device == "cpu":
        sealed["gpu"] = "none: measured on a CPU"
    written = write_model(sealed, out)
    kept.forget()
    return written


def run(python: str | None, out: Path, **options: object) -> PerfModel:
    """`profile`, with the same arguments, in a process of the Python that has vLLM; None: of this one.

    Raises HeadraceError when there is no such Python and when the process fails, whose own words are on
    stderr then. An interrupt ends it and its engine.
    """
    interpreter = python or sys.executable
    if shutil.which(interpreter) is None:
        raise HeadraceError(
            "config: key vllm.python", f"there is no {interpreter}", "name a Python that has vLLM, or null"
        )
    given = {"out": out, **options}
    given["extra_args"] = json.dumps(given.get("extra_args") or {})
    told = [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]
    code = follow([interpreter, "-m", "headrace.vllm.profile", *told], QUIET_AND_OFFLINE)
    if code:
        raise HeadraceError(out, f"its process ended with {code}", "its words are above")
    return PerfModel.load(out)


def host_blocks(model: Model, block_size: int, available: int) -> int:
    """Blocks of a host pool for the longest swap that is measured, or as many as `available` bytes hold.

    All ranks lie on one host, so a block counts with all its layers and heads.
    """
    wanted = -(-MEASURED_TOKENS[-1] // block_size)
    return min(wanted, int(available * HOST_SHARE) // (block_size * model.kv_bytes_per_token))


@contextmanager
def started(arguments: dict, place: object):
    """An engine with these arguments; shut down when the body ends. HeadraceError when it does not start."""
    from headrace.vllm.private import SteppedEngine

    try:
        engine = SteppedEngine(arguments)
    except HeadraceError:
        raise
    except Exception as error:  # Whatever stops an engine: memory, a wrong argument, a driver.
        raise HeadraceError(
            place, f"vLLM does not start ({words_of(error)})", "its own words are above"
        ) from error
    try:
        yield engine
    finally:
        engine.shutdown()


class Kept:
    """What was measured so far, in a file, so that an interrupted profile does not begin anew.

    identity: of what is measured on what; a file of another identity is ignored and replaced.
    """

    def __init__(self, file: Path, identity: str):
        self.file, self.identity, self.measured = file, identity, {}
        if file.exists():
            try:
                found = read_json(file)
            except HeadraceError:
                found = None
            if isinstance(found, dict) and found.get("identity") == identity:
                self.measured = dict(found["measured"])

    def __call__(self, key: str, measure: Callable[[], list]) -> list:
        """What is kept under `key`, or what `measure` gives, which is kept then."""
        if key not in self.measured:
            self.measured[key] = measure()
            write_json(self.file, {"identity": self.identity, "measured": self.measured})
        return self.measured[key]

    def forget(self) -> None:
        """Remove the file."""
        self.file.unlink(missing_ok=True)


EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


def as_mapping(context: click.Context, parameter: click.Parameter, text: str) -> dict:
    """The value of --extra-args."""
    try:
        mapping = json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"is no JSON ({error})") from None
    if not isinstance(mapping, dict):
        raise click.BadParameter("is no JSON object")
    return mapping


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--hardware", required=True, help="Name in the hardware file, e.g. h200-tp2.")
@click.option("--model", help="Name in the models file. Default: the one that the hardware names.")
@click.option("--hardware-file", type=EXISTING, default=Path("config/hardware.yaml"), show_default=True)
@click.option("--models-file", type=EXISTING, default=Path("config/models.yaml"), show_default=True)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@click.option("--token-budget", type=click.IntRange(16), default=TOKEN_BUDGET, show_default=True)
@click.option("--slots", type=click.IntRange(1), default=SLOTS, show_default=True, help="Requests at a time.")
@click.option("--block-size", type=click.IntRange(1), default=BLOCK_SIZE, show_default=True)
@click.option("--kv-blocks", type=click.IntRange(2), help="Default: what the memory gives.")
@click.option("--max-model-len", type=click.IntRange(64), help="Default: the model's.")
@click.option("--gpu-memory-utilization", type=click.FloatRange(0, 1, min_open=True), default=0.9)
@click.option("--extra-args", default="{}", callback=as_mapping, help="Of vLLM's engine, as JSON.")
@click.option("--date", help="Goes into the provenance as it is.")
def main(**options: object) -> None:
    """Measure the performance model of one hardware on a vLLM that runs on this machine."""
    try:
        profile(**options)
    except HeadraceError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
