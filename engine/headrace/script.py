"""The frame of a workflow script: what it says goes to its log too, and bad input ends it in one line."""

import os
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TextIO

from headrace.errors import HeadraceError
from headrace.threads import one_each


def prepare_jobs() -> None:
    """Set what the processes of jobs inherit: these sources come first, libraries run one thread each."""
    sources = str(Path(__file__).parent.parent)
    paths = [sources, *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, dict.fromkeys(paths)))
    one_each()


def paths(inputs: object) -> dict[str, list[Path]]:
    """The named inputs of a job, each as a list of files."""
    return {
        name: [Path(file) for file in ([files] if isinstance(files, str) else files)]
        for name, files in inputs.items()
    }


@contextmanager
def script(log: str | Path) -> Iterator[None]:
    """Run the body with stdout and stderr copied to `log`.

    A HeadraceError is told in its one line, any other error with its traceback, both on the
    terminal and in the log; then the process ends with exit code 1. An interrupt (130) is only noted
    in the log: the user knows. Where there is no terminal, and so no progress bar, the end of a job is
    a line.
    """
    Path(log).parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with Path(log).open("w", encoding="utf-8") as file:
        out, err = _Copied(sys.stdout, file), _Copied(sys.stderr, file)
        with redirect_stdout(out), redirect_stderr(err):
            try:
                yield
            except HeadraceError as error:
                print(error, file=sys.stderr)
                sys.exit(1)
            except KeyboardInterrupt:
                print("interrupted", file=file)
                sys.exit(130)
            except Exception:
                traceback.print_exc()
                sys.exit(1)
    if not sys.stderr.isatty():
        print(f"{Path(log).with_suffix('')}: {time.perf_counter() - started:.1f} s", file=sys.stderr)


class _Copied:
    """A terminal's stream whose text is written to a log as well, without what a progress bar draws."""

    def __init__(self, terminal: TextIO, log: TextIO):
        self.terminal, self.log = terminal, log

    def write(self, text: str) -> int:
        if "\r" not in text and "\x1b" not in text:
            self.log.write(text)
            self.log.flush()
        return self.terminal.write(text)

    def __getattr__(self, name: str):
        return getattr(self.terminal, name)
