"""Cells of `headrace simulate`, one per policy: served, kept and drawn."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from headrace.cli.inputs import Inputs
from headrace.cli.output import on_terminal
from headrace.errors import HeadraceError

Window = tuple[float, float]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for what is made on the way; no message names it."""
    with tempfile.TemporaryDirectory(prefix="headrace-") as name:
        try:
            yield Path(name)
        except HeadraceError as error:
            if name not in str(error):
                raise
            texts = (text.replace(f"{name}/", "") for text in (error.place, error.problem, error.remedy))
            raise HeadraceError(*texts) from None


def labels(policies: list[str]) -> dict[str, str]:
    """A short name for each policy: one's own by its class, and by its file where the class is not enough.

    Raises HeadraceError for one named twice.
    """
    from headrace.scheduling.own import own_file

    found: dict[str, str] = {}
    names = [policy.rpartition(":")[2] for policy in policies]
    for policy, name in zip(policies, names, strict=True):
        file = own_file(policy) if names.count(name) > 1 else None
        label = f"{file.stem}.{name}" if file else name
        if label in found:
            raise HeadraceError("--against", f"there are two policies {label!r}", "name each one once")
        found[label] = policy
    return found


def serve(inputs: Inputs, policies: dict[str, str], folder: Path, recorded: int | None) -> object:
    """Simulate the cell under every policy, its tables into `folder`/label.

    Returns the recorder (headrace.sim.record) of world `recorded` under the first policy, None without
    one. Raises HeadraceError as headrace.cell.run, and for an error in a policy of one's own.
    """
    from headrace.cell import run
    from headrace.scheduling.own import fault, own_file
    from headrace.sim.record import Recorder
    from headrace.workload.progress import progress_bar

    recorders = []

    def watch(world, scheduler):
        if world != recorded or recorders:
            return scheduler
        recorders.append(Recorder(scheduler))
        return recorders[0]

    worlds = inputs.spec["worlds"]
    with progress_bar("simulate", worlds * len(policies), on_terminal() and worlds > 1) as advance:
        for label, policy in policies.items():
            try:
                run(
                    inputs.spec | {"policy": policy},
                    inputs.chunks,
                    inputs.arrivals,
                    inputs.perf_model,
                    folder / label,
                    progress=lambda done, worlds: advance(),
                    watch=watch,
                )
            except HeadraceError:
                raise
            except (Exception, SystemExit) as error:
                if own_file(policy) is None:
                    raise
                raise fault(policy, error) from error
    return recorders[0] if recorders else None


def keep(folder: Path, policies: dict[str, str], out: Path) -> None:
    """Copy the tables to `out`, or to a folder per policy in it where there are several."""
    from headrace.files import atomic

    for label in policies:
        home = out / label if len(policies) > 1 else out
        for file in sorted((folder / label).iterdir()):
            with atomic(home / file.name) as temporary:
                shutil.copyfile(file, temporary)


@dataclass(frozen=True, slots=True)
class Timeline:
    """What `--timeline` asks for."""

    file: Path
    world: int
    window: Window | None

    def check(self, backend: str) -> None:
        """Raise HeadraceError for another backend than the simulator, without matplotlib, and for a file of
        no known format.
        """
        if backend != "sim":
            remedy = "leave it out, or --backend sim"
            raise HeadraceError("--timeline", "draws what the simulator does", remedy)
        try:
            from headrace.plots.timeline import check_file
        except ImportError as error:
            missing, remedy = (error.name or "").partition(".")[0], "pip install 'headrace[plots]'"
            raise HeadraceError("--timeline", f"{missing} is not installed", remedy) from error
        check_file(self.file)

    def draw(self, inputs: Inputs, recorder: object, cell: Path, title: str) -> None:
        """Draw what the recorder saw; `cell` is the folder with the requests table."""
        import polars as pl

        from headrace.plots.timeline import draw

        draw(
            recorder,
            pl.read_parquet(cell / "requests.parquet").filter(world=self.world),
            inputs.spec["engine"]["token_budget"],
            self.file,
            title=title,
            provenance=inputs.provenance,
            window=self.window,
        )
