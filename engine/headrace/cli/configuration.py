"""The project's configuration, for commands that may be called from anywhere."""

from contextlib import chdir
from pathlib import Path

import headrace
from headrace.errors import HeadraceError

ROOT = Path(headrace.__file__).resolve().parents[2]
DEFAULT = "config/config.yaml"


def read_configuration(files: tuple[Path, ...] = ()) -> dict:
    """config/config.yaml beside the package with `files` on top, checked.

    Paths in it are relative to the repository, as in the workflow. Raises HeadraceError with a line per
    problem, and when the package was installed without its repository.
    """
    from headrace.config import read_all

    if not (ROOT / DEFAULT).is_file():
        remedy = "clone the repository and install the package from it (make setup, or pip install -e .)"
        raise HeadraceError(ROOT / DEFAULT, "no such file", remedy)
    files = files if Path.cwd() == ROOT else tuple(file.absolute() for file in files)
    with chdir(ROOT):
        return read_all([DEFAULT, *files])
