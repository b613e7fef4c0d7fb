"""One process of a profile: checks, says what it costs, measures; the first one writes the file."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.perf.architecture import Model
from headrace.perf.documents import document
from headrace.perf.hardware import Hardware, load_hardware, load_models, pick
from headrace.perf.model import PerfModel, write_model
from headrace.perf.profiler import devices
from headrace.perf.profiler.grid import Grid, check_model, expected_s, make_grid
from headrace.perf.profiler.ranks import check_launch, joined
from headrace.perf.profiler.sections import sections


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be measured on what, all checks passed."""

    hardware: Hardware
    model_name: str
    model: Model
    devices: list[str]
    """Names of the GPUs, one each; of the processor where there is none."""

    def announcement(self, grid: Grid) -> str:
        """What is about to be measured, and the GPU minutes that it is expected to take."""
        gpus, minutes = self.hardware.tensor_parallel, expected_s(grid, self.hardware, self.model) / 60
        lines = [
            f"profiling {self.model_name} on {gpus} x {self.devices[0]}: {grid.measurements} "
            f"measurements, about {minutes * gpus:.1f} GPU minutes ({gpus} x {minutes:.1f}), estimated from "
            "the data sheet"
        ]
        for section, points in grid.left_out.items():
            if points:
                lines.append(f"left out of {section} for lack of memory: {points}")
        return "\n".join(lines)


def prepare(
    hardware: str,
    hardware_file: str | Path,
    models_file: str | Path,
    out: str | Path,
    model: str | None = None,
    device: str = "cuda",
) -> Job:
    """Check everything that can be checked before a GPU is used; arguments as of `profile`.

    Raises HeadraceError for an unknown hardware or model, a model that can't be divided or whose dtype
    flash attention does not take, other or fewer GPUs than the entry says, too little memory, and
    an `out` that can't be written.
    """
    machine = pick(load_hardware(hardware_file), hardware, hardware_file)
    model_name = model or machine.perf_model.model
    architecture = pick(load_models(models_file), model_name, models_file)
    gpus, place = machine.tensor_parallel, f"{hardware_file}: {hardware}"
    check_model(architecture, model_name, gpus, device, place)
    found = devices.names(device, place)
    if device == "cpu":
        found *= gpus
    else:
        devices.check_names(machine.gpu, gpus, found, place)
    make_grid(architecture, gpus, devices.all_room(device, gpus), place)
    check_writable(out)
    return Job(machine, model_name, architecture, found[:gpus])


def profile(
    hardware: str,
    hardware_file: str | Path,
    models_file: str | Path,
    out: str | Path,
    model: str | None = None,
    device: str = "cuda",
    eager: bool = False,
    date: str | None = None,
) -> PerfModel | None:
    """Measure on this machine and write the performance model to `out`; the first process returns it.

    To be called in as many processes as `hardware` has GPUs (torchrun); `launch.run` starts them.
    `model`: another one than the hardware names; `device`: cuda, or cpu for tests; `eager`: no CUDA
    graphs. The expected cost is printed before anything is measured, and nothing is written before
    everything is. Raises HeadraceError as `prepare` does.
    """
    job = prepare(hardware, hardware_file, models_file, out, model, device)
    gpus, place = job.hardware.tensor_parallel, f"{hardware_file}: {hardware}"
    check_launch(gpus, place)
    with joined(device) as ranks:
        grid = make_grid(job.model, gpus, devices.free_room(ranks), place)
        if ranks.first:
            print(job.announcement(grid), file=sys.stderr, flush=True)
        from headrace.perf.profiler.measuring import measure_all

        graphs = device == "cuda" and not eager
        measured = measure_all(grid, job.model, ranks, graphs)
    if not ranks.first:
        return None
    ran_on = {
        "device": device,
        "devices": job.devices,
        "software": devices.software(device),
        "attention": f"torch scaled_dot_product_attention, {'flash' if device == 'cuda' else 'CPU'} kernel",
    }
    built = sections(measured, grid, ran_on, graphs)
    sealed = document("profiled", hardware, job.hardware, job.model_name, job.model, built, date, place)
    if device == "cpu":
        sealed["gpu"] = "none: measured on a CPU"
    return write_model(sealed, out)


def check_writable(out: str | Path) -> None:
    """Raise HeadraceError now rather than after minutes on a GPU."""
    folder = Path(out).absolute().parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise HeadraceError(out, f"can't be written ({error.strerror})", "a folder that can be") from error
