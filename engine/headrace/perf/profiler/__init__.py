"""Provider `profiled`: times measured on the GPU at hand, with torch and transformers' own Llama.

`run` profiles with as many processes as the hardware has GPUs, `profile` is one of them. Neither torch nor
transformers is imported before something is measured. docs/performance-models.md says what is measured.
"""

from headrace.perf.profiler.launch import run
from headrace.perf.profiler.process import profile

__all__ = ["profile", "run"]
