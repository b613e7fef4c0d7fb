"""What a job of cells on vLLM is told: by the workflow, as a JSON file, since another Python serves them."""

from dataclasses import asdict, dataclass
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import read_json
from headrace.perf.records import at_least, read_record
from headrace.vllm.cells.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a job: its spec (headrace.spec.Spec), the digest of what serves it, its folder."""

    spec: dict
    sources: str
    out: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadFiles:
    """The two tables of a workload, and how many tokens all its prompts begin with."""

    chunks: str
    arrivals: str
    template_tokens: int = at_least(0, default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Cells that one engine serves, and what it is started with.

    name: of the job, for messages; workloads: WorkloadFiles by name; gpu: the hardware's name of it; model:
    the architecture (headrace.perf.architecture.Model); store: folder of finished cells. Paths are text.
    """

    name: str
    cells: tuple[dict, ...]
    workloads: dict
    perf_model: str
    weights: str
    gpu: str
    model: dict
    seed: int
    settings: Settings
    store: str

    def checked_cells(self) -> list[Cell]:
        """Its cells as records."""
        return [read_record(Cell, cell, f"{self.name}: cell") for cell in self.cells]

    def files_of(self, workload: str) -> WorkloadFiles:
        """The tables of a workload. Raises HeadraceError when the job has none of that name."""
        place = f"{self.name}: workload {workload}"
        if workload not in self.workloads:
            raise HeadraceError(place, "its tables are not given", "name chunks and arrivals")
        return read_record(WorkloadFiles, self.workloads[workload], place)

    def as_dict(self) -> dict:
        """For a JSON file that `read_job` reads."""
        return asdict(self)


def read_job(path: Path) -> Job:
    """Raises HeadraceError for a key that is missing, unknown or of the wrong type."""
    job = read_record(Job, read_json(path), path)
    job.settings.check(f"{job.name}: key settings")
    return job
