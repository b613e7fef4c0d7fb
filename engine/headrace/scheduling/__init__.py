"""Schedulers: who runs in the next step, with how many tokens, and who makes room.

Nothing here knows a clock, a tensor or an engine, so the same files decide in the simulator and
inside vLLM.
"""

import importlib

from headrace.errors import HeadraceError, nearest
from headrace.scheduling.contract import (
    CHUNK,
    GONE,
    OPENED,
    RECOMPUTE,
    SWAP,
    Limits,
    Plan,
    Scheduler,
)
from headrace.scheduling.eviction import EVICTIONS, Costs, Eviction
from headrace.scheduling.two_phase import Policy, TwoPhase

__all__ = [
    "CHUNK", "EVICTIONS", "GONE", "OPENED", "POLICIES", "RECOMPUTE", "SWAP",
    "Costs", "Eviction", "Limits", "Plan", "Policy", "Scheduler", "TwoPhase", "scheduler",
]  # fmt: skip

# name -> class, imported when asked for
POLICIES = {
    "default_vllm": "headrace.scheduling.default_vllm:Vllm081",
    "fcfs": "headrace.scheduling.fcfs:FCFS",
    "lcas": "headrace.scheduling.lcas:LCAS",
    "mcps": "headrace.scheduling.mcps:MCPS",
}


def scheduler(policy: str, eviction: str, costs: Costs, limits: Limits) -> Scheduler:
    """A new scheduler by the names of its policy and of its eviction rule.

    Raises HeadraceError for an unknown name.
    """
    if policy not in POLICIES:
        raise HeadraceError("policy", f"unknown policy {policy!r}", nearest(policy, POLICIES))
    if eviction not in EVICTIONS:
        raise HeadraceError("eviction", f"unknown eviction rule {eviction!r}", nearest(eviction, EVICTIONS))
    module, name = POLICIES[policy].split(":")
    cls = getattr(importlib.import_module(module), name)
    rule = EVICTIONS[eviction](costs, limits)
    return TwoPhase(cls, rule, limits) if issubclass(cls, Policy) else cls(rule, limits)
