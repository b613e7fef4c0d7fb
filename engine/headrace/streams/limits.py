"""What one server takes from its clients: sizes, numbers, times."""

from dataclasses import dataclass

from headrace.perf.records import above, at_least


@dataclass(frozen=True, slots=True)
class EndpointLimits:
    """Limits of /v1/stream: the key headrace.endpoint of --additional-config.

    max_message_bytes: of one message as sent, JSON (128k token ids are below 1 MB).
    max_message_tokens: of one message; null for as many as the model takes.
    max_sessions: streams open at once, WebSockets and plain HTTP together.
    idle_timeout_s: an open stream whose client sends nothing for so long is aborted.
    """

    max_message_bytes: int = at_least(1, default=4 * 2**20)
    max_message_tokens: int | None = at_least(1, default=None)
    max_sessions: int = at_least(1, default=512)
    idle_timeout_s: float = above(0, default=60.0)
