"""The hand-worked schedules run on both simulators that the tests in ../sim compare."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "sim"))
