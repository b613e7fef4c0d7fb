"""A copy of the repository in which Snakemake runs, away from the results of the one at hand."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
FOLDERS = ("config", "data", "docs", "engine/headrace", "envs", "profiles", "workflow")


def copy_repository(folder: Path) -> Path:
    """Copy what a workflow needs into `folder`, without results; returns it."""
    for name in FOLDERS:
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def snakemake(
    folder: Path, *arguments: str, together: bool = False, path: str = ""
) -> subprocess.CompletedProcess:
    """Run Snakemake on two cores in `folder`, with the sources there; returns the finished process.

    together: what it says on stderr stands in stdout, in order. path: a folder of modules that come first.
    """
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=folder,
        env=environment | ({"PYTHONPATH": str(path)} if path else {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        text=True,
        check=False,
    )
