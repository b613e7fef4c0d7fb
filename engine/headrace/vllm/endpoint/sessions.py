"""Streams that clients of the server have open, how many there may be, and for how long one may be silent."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from headrace.streams.error import StreamError
from headrace.streams.limits import EndpointLimits
from headrace.vllm.client import EngineStream

REMEMBERED = 1024  # ended ones, so that a client that comes late is told why


class Session:
    """One stream and what its client has to be told with every answer."""

    def __init__(self, stream: EngineStream, model: str):
        self.stream, self.model = stream, model
        self.created = int(time.time())
        self.heard()

    def heard(self) -> None:
        """Its client has sent something."""
        self.heard_s = time.monotonic()

    def state(self) -> dict[str, Any]:
        """{"id", "object": "stream", "created", "model", "status", "prompt_tokens", "chunks", "error"}.

        `status`: open, generating, finished or failed; `error` is null unless it failed.
        """
        stream = self.stream
        status = "finished" if stream.ended else "generating" if stream.closed else "open"
        return {
            "id": stream.id,
            "object": "stream",
            "created": self.created,
            "model": self.model,
            "status": "failed" if stream.failure else status,
            "prompt_tokens": stream.prompt_tokens,
            "chunks": stream.chunks,
            "error": stream.failure.answer()["error"] if stream.failure else None,
        }


class Sessions:
    """All of a server. One that ends, however it does, leaves by itself."""

    def __init__(self, limits: EndpointLimits):
        self.limits = limits
        self._seats = 0  # connections without a stream yet
        self._open: dict[str, tuple[Session, asyncio.Task]] = {}
        self._past: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open) + self._seats

    @contextmanager
    def seat(self) -> Iterator[None]:
        """Counts a connection that will bring a stream. Raises StreamError 429 when there is no room."""
        self._check_room()
        self._seats += 1
        try:
            yield
        finally:
            self._seats -= 1

    def open(self, stream: EngineStream, model: str) -> Session:
        """Watch over a new stream. Raises StreamError 429 when there are too many."""
        self._check_room()
        session = Session(stream, model)
        self._open[stream.id] = session, asyncio.create_task(self._watch(session))
        return session

    def find(self, id: str) -> Session:
        """The open session of this id. Raises StreamError: 404, or why it has ended."""
        if id in self._open:
            return self._open[id][0]
        past = self._past.get(id)
        if past is None:
            raise StreamError(
                "stream", f"there is no {id!r}", "POST /v1/stream opens one", HTTPStatus.NOT_FOUND
            )
        if past["error"]:
            raise StreamError.told(past["error"]["message"], past["error"]["code"])
        raise StreamError(id, "has finished", "open a new stream", HTTPStatus.CONFLICT)

    def state(self, id: str) -> dict[str, Any]:
        """What is known of a session, also of one that has ended. Raises StreamError 404."""
        if id not in self._open and id in self._past:
            return self._past[id]
        return self.find(id).state()

    def _check_room(self) -> None:
        if len(self) >= self.limits.max_sessions:
            raise StreamError(
                "stream",
                f"{len(self)} are open on this server",
                "try again later, or raise headrace.endpoint.max_sessions",
                HTTPStatus.TOO_MANY_REQUESTS,
            )

    async def _watch(self, session: Session) -> None:
        """Until it has ended: abort it when its client is silent for too long with the prompt still open."""
        stream, id = session.stream, session.stream.id
        idle_s = self.limits.idle_timeout_s
        try:
            while not stream.ended:
                left_s = session.heard_s + idle_s - time.monotonic()
                if stream.closed:  # for good, or until its last chunk is refused: look again
                    left_s = idle_s
                elif left_s <= 0:
                    silent = StreamError(
                        id, f"no message for {idle_s:g} s", "open a new stream", HTTPStatus.REQUEST_TIMEOUT
                    )
                    await stream.abort(silent)
                    break
                try:
                    async with asyncio.timeout(left_s):
                        await stream.wait()
                except TimeoutError:
                    pass
        finally:
            del self._open[id]
            self._past[id] = session.state()
            if len(self._past) > REMEMBERED:
                self._past.popitem(last=False)
