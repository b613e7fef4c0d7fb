"""The engine on a virtual clock."""

from headrace.sim.simulator import HandOver, LivelockError, Result, Simulator

__all__ = ["HandOver", "LivelockError", "Result", "Simulator"]
