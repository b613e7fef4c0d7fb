"""What the tests counted, written to results/checks/vllm.json when a session has counted everything."""

from collections import Counter
from pathlib import Path

from headrace.files import write_json

KEYS = (
    "cases",
    "wrong",
    "leaked_blocks",
    "mutations",
    "mutations_caught",
    "decisions_compared",
    "decisions_different",
)
FILE = Path(__file__).parents[2] / "results/checks/vllm.json"
counts: Counter[str] = Counter()


def record(**more: int) -> None:
    """Add to the counts of this session; ValueError for a key the file does not have."""
    for key, count in more.items():
        if key not in KEYS:
            raise ValueError(f"no such count: {key}")
        counts[key] += count


def missing() -> list[str]:
    """Keys nobody has counted: a session that ran some tests only."""
    return [key for key in KEYS if key not in counts]


def write(file: Path = FILE) -> None:
    """The file, whole or not at all."""
    write_json(file, {key: counts[key] for key in KEYS})
