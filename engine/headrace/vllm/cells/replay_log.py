"""What a replay on a real engine has seen."""

from dataclasses import dataclass, field

import numpy as np


@dataclass(slots=True)
class Answer:
    """What came back for one query; times in seconds on the client's clock, None until they are."""

    first_token_s: float | None = None
    finished_s: float | None = None
    tokens: int = 0
    report: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplayLog:
    """What one world's replay has seen; times in seconds from the workload's time 0.

    due_s, began_s, returned_s (chunks,): when each chunk should have been handed over, when the call that did
    it began and returned; rows as of Replay. answers: per query. engine_s: the engine's clock at time 0.
    """

    due_s: np.ndarray
    began_s: np.ndarray
    returned_s: np.ndarray
    answers: list[Answer]
    engine_s: float
    end_s: float
