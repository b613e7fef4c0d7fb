"""vLLM's CPU build with a tiny model: one engine for all tests in this process."""

import os

# Before anything imports vllm. Threads stay free to move: children inherit what this process is bound to.
os.environ.update(
    {
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": os.environ.get("VLLM_CPU_OMP_THREADS_BIND", "nobind"),
        "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "WARNING"),
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_WORKER_MULTIPROC_METHOD": "spawn",
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),  # matrices are tiny
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
)

import checks
import pytest
from model import write_model


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """The tiny random-weight model, on disk."""
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def engine(model_folder):
    """The engine in this process; a test configures its scheduler."""
    from engine import Engine

    started = Engine(model_folder)
    yield started
    started.shutdown()


def pytest_sessionfinish(session, exitstatus):
    if not checks.missing():
        checks.write()


def pytest_terminal_summary(terminalreporter):
    counted = ", ".join(f"{key} {checks.counts[key]}" for key in checks.KEYS if key in checks.counts)
    if checks.missing():
        counted += f"; {checks.FILE.name} not written: nothing counted {', '.join(checks.missing())}"
    terminalreporter.write_line(f"checks: {counted}")
