"""How fast Headrace is: `make bench` prints this table, with the target of each row.

CPU time, median of several runs; on a busy machine wall time says little. Whole processes are
counted with their start-up. What is compared is measured in the same run.
"""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from time import process_time

import simulation
from rich.console import Console
from rich.progress import track
from rich.table import Table

from headrace.config import read_all
from headrace.scheduling import POLICIES
from headrace.study import cell_spec, cells
from headrace.timing import medians
from headrace.workload import generate, write_arrivals

ROUNDS = 5
WORKLOAD = "crawler"
HEADRACE = [sys.executable, "-m", "headrace"]
RUN_CELL = """
import sys
from pathlib import Path
from headrace.cell import run
from headrace.spec import read_spec
spec, *files = map(Path, sys.argv[1:])
run(read_spec(spec), *files)
"""


def cpu_seconds(prepare: Callable[[], Callable]) -> tuple[float, object]:
    """Median CPU seconds of what `prepare` returns, and the last result."""
    times = []
    for _ in range(ROUNDS):
        run = prepare()
        start = process_time()
        result = run()
        times.append(process_time() - start)
    return median(times), result


def process_cpu_seconds(command: list[str]) -> float:
    """Median CPU seconds (user and system) of a process, start to end."""
    times = []
    for _ in range(ROUNDS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return median(times)


def main() -> None:
    os.chdir(simulation.ROOT)
    table = Table(title="Headrace: CPU time, median of several runs", title_justify="left")
    for heading in ("what", "measured", "target", "measured / target"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    with tempfile.TemporaryDirectory() as folder:
        for part in track((peers, heaviest_cell, scheduling_passes, processes), "benchmarks"):
            part(table.add_row, Path(folder))
            table.add_section()
    console = Console(width=120)
    console.print(table)
    console.print(f"{datetime.now(UTC):%Y-%m-%d}, {machine()}")


def peers(row: Callable[..., None], folder: Path) -> None:
    """The workload that other simulators publish their speed on."""
    workload = simulation.Peers()
    for policy in POLICIES:
        seconds, result = cpu_seconds(lambda policy=policy: simulation.prepare_peers(workload, policy))
        requests_target, steps_target = (30e3, 335e3) if policy == "mcps" else (40e3, 450e3)
        rate(row, f"peers' workload, {policy}", workload.requests / seconds, "requests/s", requests_target)
        rate(row, f"peers' workload, {policy}", result.steps / seconds, "steps/s", steps_target)


def heaviest_cell(row: Callable[..., None], folder: Path) -> None:
    """Crawler, waits x10, 4 queries/s: 4,322 requests, hundreds of them open at a time."""
    config, chunks, arrivals = study_workload(folder)
    for axes in study_cells(config, delay=10, eviction="cost_published", stream=True):
        spec = cell_spec(config, "stream2llm", axes)
        seconds, _ = cpu_seconds(lambda spec=spec: simulation.prepare_cell(spec, chunks, arrivals))
        queries = config["workloads"][WORKLOAD]["queries"]
        rate(row, f"heaviest cell, {axes['policy']}", queries / seconds, "requests/s", 30e3)


def scheduling_passes(row: Callable[..., None], folder: Path) -> None:
    """One ordering and budget pass with 500 requests queued."""
    for policy in POLICIES:
        times = medians(policy, 500)
        time(row, f"pass at 500 queued, amortised, {policy}", times["amortised"], "us", 20)
        if "from_scratch" in times:
            share = f"us ({times['from_scratch'] / times['published_shape']:.2f} of the next)"
            time(row, f"pass at 500 queued, from scratch, {policy}", times["from_scratch"], share, 70)
            time(row, f"pass at 500 queued, published shape, {policy}", times["published_shape"], "us", None)


def processes(row: Callable[..., None], folder: Path) -> None:
    """Whole processes, from start to end."""
    config, chunks, arrivals = study_workload(folder)
    for axes in study_cells(config, delay=1, qps=4.0, hardware="h200-tp2", stream=True):
        spec = folder / "spec.json"
        spec.write_text(json.dumps(cell_spec(config, "stream2llm", axes)))
        command = cell_command(spec, chunks, arrivals, folder / "cell")
        worlds = config["workloads"][WORKLOAD]["worlds"]
        name = f"a cell's process, {worlds} worlds, {axes['policy']}"
        time(row, name, process_cpu_seconds(command), "s", 1.2)
    importing = [sys.executable, "-c", "import headrace.sim, headrace.scheduling"]
    time(row, "importing the engine", process_cpu_seconds(importing), "s", 0.3)
    time(row, "headrace --help", process_cpu_seconds([*HEADRACE, "--help"]), "s", 0.3)


def cell_command(spec: Path, chunks: Path, arrivals: Path, out: Path) -> list[str]:
    """A cell served from its files into a folder as one process, as the rule run_cell does."""
    files = (spec, chunks, arrivals, simulation.PERF_MODEL, out)
    return [sys.executable, "-c", RUN_CELL, *map(str, files)]


def study_workload(folder: Path) -> tuple[dict, Path, Path]:
    """The study's configuration and its crawler workload, generated as `make study` does."""
    config = read_all(["config/config.yaml"])
    workload = config["workloads"][WORKLOAD]
    chunks, arrivals = folder / "chunks.parquet", folder / "arrivals.parquet"
    if not chunks.exists():
        parameters = config["generators"][WORKLOAD]
        generate(
            WORKLOAD,
            parameters,
            workload["worlds"],
            config["seed"],
            workload["queries"],
            chunks,
            workload.get("typical_of", 1),
            progress=False,
        )
        write_arrivals(workload["queries"], workload["worlds"], config["seed"], arrivals)
    return config, chunks, arrivals


def study_cells(config: dict, **axes) -> list[dict]:
    """Crawler cells of the study with these values of axes."""
    axes["workload"] = WORKLOAD
    found = cells(config["studies"]["stream2llm"], "sim")
    return [cell for cell in found if all(cell[name] == value for name, value in axes.items())]


def rate(row: Callable[..., None], what: str, measured: float, unit: str, target: float) -> None:
    row(what, f"{measured:,.0f} {unit}", f"at least {target:,.0f}", f"{measured / target:.2f}")


def time(row: Callable[..., None], what: str, measured: float, unit: str, target: float | None) -> None:
    if target is None:
        row(what, f"{measured:.3g} {unit}", "", "")
    else:
        row(what, f"{measured:.3g} {unit}", f"at most {target:g}", f"{measured / target:.2f}")


def machine() -> str:
    """Processor, cores and Python of this machine."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    main()
