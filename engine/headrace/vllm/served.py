"""A request of vLLM's as the planner sees it, and what it went through."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from headrace.request import Request

if TYPE_CHECKING:
    from vllm.v1.request import Request as EngineRequest

    from headrace.vllm.chunk import Chunk

# Names of events; each is (name, seconds on the engine's clock, tokens it is about).
OPENED, CHUNK, CLOSED = "opened", "chunk", "closed"
SCHEDULED, FIRST_TOKEN = "scheduled", "first_token"
PREEMPTED_RECOMPUTE, PREEMPTED_SWAP, SWAPPED_IN = "preempted_recompute", "preempted_swap", "swapped_in"
INVALIDATED = "invalidated"
RUNNING = SCHEDULED, FIRST_TOKEN  # after these, another run is nothing new


class Served(Request):
    """The planner's mirror of one vLLM request, plain or streaming.

    engine: the request inside vLLM; stream: its stream's id, None for a plain request; chunks taken;
    error: why it failed, if it did; status: that as an HTTP status, 200 if it did not. Times are seconds
    of the engine's clock, `opened_s` and `handed_over_s` those at which the front-end had the first and
    the latest chunk.
    """

    __slots__ = ("chunks", "engine", "error", "events", "ready", "status", "stream")

    def __init__(self, id: int, engine: EngineRequest, chunk: Chunk | None):
        super().__init__(id)
        self.engine = engine
        self.stream = chunk.stream if chunk else None
        self.chunks = 1
        self.error: str | None = None
        self.status = int(HTTPStatus.OK)
        self.ready = False  # the planner knows it
        self.events: list[tuple[str, float, int]] = []

    def note(self, event: str, at_s: float, tokens: int) -> None:
        """Write an event down."""
        self.events.append((event, at_s, tokens))

    def report(self, now_s: float) -> dict[str, object]:
        """What its last output tells the client (docs/vllm.md); it ends now."""
        times = ("opened_s", "handed_over_s", "last_chunk_s", "first_token_s")
        counts = (
            "computed_tokens",
            "invalidated_tokens",
            "preemptions_recompute",
            "preemptions_swap",
            "chunks",
        )
        return {
            "stream": self.stream,
            "error": self.error,
            "status": self.status,
            **{name: getattr(self, name) for name in times},
            "finished_s": now_s,
            "prompt_tokens": self.engine.num_prompt_tokens,
            "output_tokens": self.engine.num_output_tokens,
            **{name: getattr(self, name) for name in counts},
            "events": [list(event) for event in self.events],
        }
