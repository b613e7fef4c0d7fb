"""What a scheduling pass costs on the machine it runs on. A timing: no two runs give the same numbers."""

from headrace.timing.scheduling_pass import FORMS, forms_of, medians, timed
from headrace.timing.steady_queue import STREAMS

__all__ = ["FORMS", "STREAMS", "forms_of", "medians", "timed"]
