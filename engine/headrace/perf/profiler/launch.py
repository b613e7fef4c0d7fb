"""A profile with as many processes as the hardware has GPUs."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.perf.model import PerfModel
from headrace.perf.profiler.process import prepare, profile

SOURCES = Path(__file__).parents[3]


def run(
    hardware: str,
    hardware_file: str | Path,
    models_file: str | Path,
    out: str | Path,
    model: str | None = None,
    device: str = "cuda",
    eager: bool = False,
    date: str | None = None,
) -> PerfModel:
    """Profile in this process, or for several GPUs in one process each, started by torchrun.

    Arguments and errors as of `profile`; also HeadraceError when one of the processes fails, whose
    own words are on stderr then. An interrupt ends all of them.
    """
    job = prepare(hardware, hardware_file, models_file, out, model, device)
    gpus = job.hardware.tensor_parallel
    if gpus == 1:
        return profile(hardware, hardware_file, models_file, out, model, device, eager, date)
    options = {
        "hardware": hardware,
        "hardware-file": hardware_file,
        "models-file": models_file,
        "out": out,
        "model": model,
        "device": device,
        "date": date,
    }
    given = [f"--{name}={value}" for name, value in options.items() if value is not None]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={gpus}"]
    command += ["-m", "headrace.perf.profiler", *given, *(["--eager"] if eager else [])]
    code = follow(command)
    if code:
        place = f"{hardware_file}: {hardware}"
        raise HeadraceError(place, f"a process failed, torchrun ended with {code}", "its words are above")
    return PerfModel.load(out)


def follow(command: list[str], defaults: Mapping[str, str] | None = None) -> int:
    """Run `command`, hand its output on to stderr line by line, and give its exit code.

    defaults: variables of its environment, where the user has not set them.
    """
    paths = [str(SOURCES), *filter(None, [os.environ.get("PYTHONPATH")])]
    always = {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    environment = {**(defaults or {}), **os.environ, **always}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            for line in process.stdout:
                print(line, end="", file=sys.stderr, flush=True)
        except BaseException:
            # torchrun ends its workers when it is asked to; killed, it would leave them behind.
            process.terminate()
            raise
    return process.returncode
