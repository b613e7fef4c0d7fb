"""Starts a job of cells in the Python that has vLLM: the workflow's own need not.

That Python runs `python -m headrace.vllm.cells.launch job.json`.
"""

import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import write_json
from headrace.perf.architecture import Model
from headrace.perf.profiler.launch import follow
from headrace.perf.records import read_record
from headrace.vllm.cells.job import Job, read_job
from headrace.vllm.cells.settings import QUIET_AND_OFFLINE, check_installed, common_size


def run(job: Job, python: str | None = None) -> None:
    """Serve the job in a process of its own; what it says goes to stderr.

    python: the interpreter with vLLM; None: this one. Raises HeadraceError when there is none, and when the
    process fails, whose own words are on stderr then. An interrupt ends it and its engine.
    """
    interpreter = python or sys.executable
    if shutil.which(interpreter) is None:
        raise HeadraceError(
            "config: key vllm.python",
            f"there is no {interpreter}",
            "make setup-vllm makes .venv-vllm; or name a Python that has vLLM, or null with conda",
        )
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        file = Path(folder) / "job.json"
        write_json(file, job.as_dict())
        pool = {"VLLM_CPU_KVCACHE_SPACE": str(pool_gib(job))}  # of the CPU build
        code = follow([interpreter, "-m", "headrace.vllm.cells.launch", str(file)], QUIET_AND_OFFLINE | pool)
    if code:
        raise HeadraceError(job.name, f"its process ended with {code}", "its words are above")


def pool_gib(job: Job) -> int:
    """The KV pool of the job's engine in GiB, rounded up."""
    model = read_record(Model, job.model, f"{job.name}: model")
    size = common_size([cell.spec for cell in job.checked_cells()], job.name)
    return -(-size.kv_blocks * size.block_size * model.kv_bytes_per_token // 2**30)


def main(path: str) -> int:
    """Serve the job in the file; gives 1 after an error, told in one line, 130 or 143 when interrupted."""
    try:
        check_installed()
        from headrace.vllm.cells.cell import serve

        serve(read_job(Path(path)))
    except HeadraceError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    except KeyboardInterrupt:
        return 130
    except asyncio.CancelledError:
        return 143
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
