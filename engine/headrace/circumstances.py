"""When, where and by which software something was run: what varies between runs and decides nothing."""

import os
import platform
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "polars")
CPUINFO = Path("/proc/cpuinfo")


def circumstances(started: float) -> dict:
    """Of a run that began at `started` (time.perf_counter) and ends now: the content of run.json."""
    return {
        "commit": commit(),
        "cpu": cpu(),
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "host": platform.node(),
        "os": platform.platform(),
        "packages": versions(PACKAGES),
        "python": platform.python_version(),
        "slurm_job_id": os.environ.get("SLURM_JOB_ID"),
        "wall_s": round(time.perf_counter() - started, 3),
    }


def commit() -> str | None:
    """Of these sources, with "-dirty" if edited; None outside a repository, or where there is no git."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        git = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return git.stdout.strip() or None


def cpu() -> str:
    """The processor's name as the operating system gives it, and how many logical CPUs there are."""
    name = ""
    with suppress(OSError):
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.partition(":")[2] for line in lines if line.startswith("model name")), "")
    name = " ".join(name.split()) or platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} logical CPUs"


def versions(packages: tuple[str, ...]) -> dict[str, str]:
    """Versions of the installed ones among `packages`."""
    found = {}
    for name in packages:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
