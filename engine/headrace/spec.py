"""A cell's spec: what to run, checked key by key before anything is read or written."""

from dataclasses import dataclass
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import read_json, read_yaml
from headrace.perf import Overheads
from headrace.perf.records import above, at_least, read_record


@dataclass(frozen=True, slots=True)
class Engine:
    """Limits of the engine, in tokens, requests and KV blocks (headrace.scheduling.Limits).

    reserved_blocks: how many of the kv_blocks are never handed out.
    """

    token_budget: int = at_least(1)
    slots: int = at_least(1)
    kv_blocks: int = at_least(1)
    host_blocks: int = at_least(0)
    block_size: int = at_least(1, default=16)
    blocks_ahead: int = at_least(0, default=4)
    reserved_blocks: int = at_least(0, default=0)
    held_tokens: int = at_least(0, default=0)
    whole_blocks: bool = False
    evict_for_slots: bool = False


PLUGIN = {
    "blocks_ahead": 0,
    "reserved_blocks": 1,
    "held_tokens": 1,
    "whole_blocks": True,
    "evict_for_slots": True,
}
"""What the key `engine` says of an engine with the plugin for vLLM, where it differs from the published one;
the reserved block is vLLM's null block."""


ON_VLLM = "vllm", "vllm-scheduler"
"""Backends whose engine has the plugin."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The axes of a cell (headrace.axes) and what it is run with.

    delay_scope: "scrapes" (the first wait of a query is not stretched by `delay`) or "all". The keys
    with a default say where the workload comes from; they decide nothing.
    """

    backend: str
    hardware: str
    workload: str
    delay: int = at_least(1)
    eviction: str
    policy: str
    stream: bool
    qps: float = above(0)
    model: str
    tensor_parallel: int = at_least(1)
    worlds: int = at_least(1)
    delay_scope: str
    engine: Engine
    overheads: Overheads
    study: str | None = None
    queries: int | None = None
    seed: int | None = None
    typical_of: int | None = None
    source: str | None = None


def check_spec(spec: object, place: object) -> Spec:
    """The spec as a record.

    Raises HeadraceError that names the key: missing, unknown, of the wrong type or out of range; for a
    backend without a virtual clock, whose numbers must not pass for another's; and, where vLLM's scheduler
    decides, for limits of the engine that it can't have.
    """
    checked = read_record(Spec, spec, place)
    if checked.backend not in ("sim", "vllm-scheduler"):
        raise HeadraceError(
            f"{place}: key backend",
            f"{checked.backend!r} can't be run here",
            "'sim' is the simulator, 'vllm-scheduler' vLLM's scheduler on its clock",
        )
    if checked.backend == "vllm-scheduler":
        for name, right in PLUGIN.items():
            value = getattr(checked.engine, name)
            if name != "reserved_blocks" and value != right:
                raise HeadraceError(
                    f"{place}: key engine.{name}", f"vLLM with the plugin can't have {value}", f"set {right}"
                )
    return checked


def read_spec(path: Path) -> dict:
    """Read a cell's spec from a JSON or YAML file. Raises HeadraceError as `check_spec` does."""
    spec = read_json(path) if path.suffix == ".json" else read_yaml(path)
    check_spec(spec, path)
    return spec
