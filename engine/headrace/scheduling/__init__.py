"""Schedulers: who runs in the next step, with how many tokens, and who makes room.

Nothing here knows a clock, a tensor or an engine, so the same files decide in the simulator and
inside vLLM.
"""

import importlib
from pathlib import Path

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
from headrace.scheduling.own import load_own, own_file
from headrace.scheduling.two_phase import Policy, TwoPhase

__all__ = [
    "CHUNK", "EVICTIONS", "GONE", "OPENED", "POLICIES", "RECOMPUTE", "SWAP",
    "Costs", "Eviction", "Limits", "Plan", "Policy", "Scheduler", "TwoPhase", "load", "scheduler",
]  # fmt: skip

# A policy is a file in policies/, imported when asked for.
POLICIES = tuple(sorted(file.stem for file in (Path(__file__).parent / "policies").glob("[!_]*.py")))


def load(policy: str) -> type:
    """The class of a policy: a subclass of Policy, or a scheduler of its own.

    `policy` is a name of POLICIES, whose file defines one class, or a file and a class in it:
    "path/to/mine.py:Mine" (see `own`). Raises HeadraceError when there is no such policy.
    """
    if policy in POLICIES:
        module = importlib.import_module(f"headrace.scheduling.policies.{policy}")
        classes = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and value.__module__ == module.__name__
        ]
        if len(classes) != 1:
            raise HeadraceError(module.__file__, f"defines {len(classes)} classes", "a policy's file has one")
        return classes[0]
    if own_file(policy) is None:
        remedy = f"{nearest(policy, POLICIES)} (one of your own: mine.py:Mine)"
        raise HeadraceError("policy", f"unknown policy {policy!r}", remedy)
    return load_own(policy)


def scheduler(policy: str, eviction: str, costs: Costs, limits: Limits) -> Scheduler:
    """A new scheduler by its policy (see `load`) and the name of its eviction rule.

    Raises HeadraceError for an unknown name.
    """
    if eviction not in EVICTIONS:
        raise HeadraceError("eviction", f"unknown eviction rule {eviction!r}", nearest(eviction, EVICTIONS))
    cls = load(policy)
    rule = EVICTIONS[eviction](costs, limits)
    return TwoPhase(cls, rule, limits) if issubclass(cls, Policy) else cls(rule, limits)
