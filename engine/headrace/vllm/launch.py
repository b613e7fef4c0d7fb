"""Starts a job of cells in the Python that has vLLM: the workflow's own need not."""

import shutil
import sys
import tempfile
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import write_json
from headrace.perf.profiler.launch import follow
from headrace.vllm.job import Job


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
        code = follow([interpreter, "-m", "headrace.vllm.cell", str(file)])
    if code:
        raise HeadraceError(job.name, f"its process ended with {code}", "its words are above")
