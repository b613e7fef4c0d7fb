"""The engine on a virtual clock."""

from headrace.sim.livelock import LivelockError
from headrace.sim.simulator import HandOver, Result, Simulator

__all__ = ["HandOver", "LivelockError", "Result", "Simulator"]
