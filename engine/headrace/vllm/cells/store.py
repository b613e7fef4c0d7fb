"""Finished cells of a job that is not yet finished: what an interrupt must not cost.

A job serves many cells on one engine, for hours. Snakemake removes the outputs of a job that fails, so each
cell is kept here as soon as it is done, under a key of all that decides it, and copied to the job's outputs
at the end. A cell that is here is not served again.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.files import atomic, atomic_folder, sha256

FILES = ("requests.parquet", "lateness.parquet", "cell.json", "run.json")


class Store:
    """A folder of finished cells; `folder`/<key>/ has the `FILES` of one."""

    def __init__(self, folder: Path):
        self.folder = folder

    def path(self, key: object) -> Path:
        """Where the cell of that key lies, or would. `key`: anything JSON can hold."""
        return self.folder / sha256(key)[:32]

    def holds(self, key: object) -> bool:
        """Whether it is there, whole: a folder appears with all its files or not at all."""
        return all((self.path(key) / name).is_file() for name in FILES)

    @contextmanager
    def writing(self, key: object) -> Iterator[Path]:
        """Yield a folder to write the `FILES` of the cell into; they are kept when the body ends well."""
        with atomic_folder(self.path(key)) as folder:
            yield folder

    def take(self, key: object, out: Path) -> None:
        """Copy the cell into the folder `out`, file by file, each whole or not at all.

        Copies, not links: the files of a job must be as new as the job.
        """
        for name in FILES:
            with atomic(out / name) as temporary:
                shutil.copyfile(self.path(key) / name, temporary)
