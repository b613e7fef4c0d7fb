"""config/hardware.yaml and config/models.yaml, read and checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from headrace.errors import HeadraceError, nearest
from headrace.files import read_yaml
from headrace.perf.architecture import Model
from headrace.perf.overheads import Overheads
from headrace.perf.records import above, at_least, read_record

PROVIDERS = ("fixed", "profiled", "vllm", "published", "roofline", "silicon")
"""Where a performance model's times can come from; headrace.perf.build makes the last three."""

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class PerfModelSource:
    """Which performance model a hardware uses."""

    provider: str
    """silicon, roofline, published, profiled, vllm or fixed."""
    model: str
    """Key of config/models.yaml."""
    file: str
    """The JSON file, relative to the repository's root."""


@dataclass(frozen=True, slots=True)
class SiliconSource:
    """Where the aisimulate package finds its kernel tables."""

    system: str
    """Its name of the GPU and node, e.g. h200_sxm."""
    backend: str
    """Its name of the serving engine that was measured, e.g. vllm."""
    backend_version: str
    """A version that it has tables for."""


@dataclass(frozen=True, slots=True)
class RooflineSource:
    """Shares of the data sheet's peaks that a whole forward pass reaches: assumptions, with a source."""

    dense_efficiency: float = above(0)
    """Of the peak FLOP/s, in the projections and the FFN."""
    attention_efficiency: float = above(0)
    """Of the peak FLOP/s, in prefill attention over context."""
    memory_efficiency: float = above(0)
    """Of the memory bandwidth, reading weights and KV cache."""
    source: str
    """Where the three numbers come from."""


@dataclass(frozen=True, slots=True)
class PublishedSource:
    """The study's own measurements, two JSON files."""

    recompute_file: str
    swap_file: str


@dataclass(frozen=True, slots=True)
class Hardware:
    """GPUs of one kind with a tensor-parallel size, and how the engine runs on them.

    Numbers of the data sheet are per GPU; blocks are those of all GPUs together.
    """

    gpu: str
    tensor_parallel: int = at_least(1)
    gpu_memory_bytes: int = at_least(1)
    memory_bytes_per_s: float = above(0)
    flop_per_s: float = above(0)
    """Dense matrix FLOP/s at the model's dtype."""
    pcie_bytes_per_s: float = above(0)
    """One direction."""
    perf_model: PerfModelSource
    overheads: Overheads
    kv_blocks: int = at_least(1)
    """KV blocks of the GPU pool."""
    host_blocks: int = at_least(0)
    """KV blocks of the host's swap pool."""
    calibrated: bool
    """Whether kv_blocks or an overhead was fitted to published rows of this hardware."""
    silicon: SiliconSource | None = None
    roofline: RooflineSource | None = None
    published: PublishedSource | None = None

    def check(self, place: str) -> None:
        """Raise HeadraceError for an unknown provider or a share of a peak above 1."""
        if self.perf_model.provider not in PROVIDERS:
            raise HeadraceError(
                f"{place}: key perf_model, key provider",
                f"unknown {self.perf_model.provider!r}",
                nearest(self.perf_model.provider, PROVIDERS),
            )
        for name in ("dense_efficiency", "attention_efficiency", "memory_efficiency"):
            if self.roofline is not None and getattr(self.roofline, name) > 1:
                raise HeadraceError(f"{place}: key roofline, key {name}", "above 1", "a share of the peak")


def load_hardware(path: str | Path) -> dict[str, Hardware]:
    """Read config/hardware.yaml: one Hardware per name.

    Raises HeadraceError for a missing, unreadable or empty file and for keys that are missing, unknown or
    of the wrong type.
    """
    return _entries(path, Hardware)


def load_models(path: str | Path) -> dict[str, Model]:
    """Read config/models.yaml: one Model per name. Raises HeadraceError as `load_hardware` does."""
    return _entries(path, Model)


def pick(entries: Mapping[str, Entry], name: str, path: str | Path) -> Entry:
    """The entry of that name. Raises HeadraceError with the nearest known name when there is none."""
    if name not in entries:
        raise HeadraceError(path, f"no entry {name!r}", nearest(name, entries))
    return entries[name]


def _entries(path: str | Path, kind: type[Entry]) -> dict[str, Entry]:
    mapping = read_yaml(path)
    if not isinstance(mapping, Mapping) or not mapping:
        raise HeadraceError(path, "a mapping of names is needed", "name: {...}, one entry or more")
    entries = {}
    for name, keys in mapping.items():
        place = f"{path}: {name}"
        if not isinstance(name, str):
            raise HeadraceError(place, "the name is no text", "put it in quotes")
        entries[name] = read_record(kind, keys, place)
        entries[name].check(place)
    return entries
