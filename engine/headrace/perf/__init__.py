"""Performance models: how long a step, a recomputation and a swap take on a given hardware."""

from headrace.perf.costs import Costs
from headrace.perf.hardware import Hardware, load_hardware, load_models
from headrace.perf.model import PerfModel, write_model
from headrace.perf.overheads import Overheads
from headrace.perf.providers import build

__all__ = [
    "Costs",
    "Hardware",
    "Overheads",
    "PerfModel",
    "build",
    "load_hardware",
    "load_models",
    "write_model",
]
