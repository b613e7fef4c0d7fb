"""Sessions and connections of the endpoint, as far as they need no engine."""

import asyncio
from types import SimpleNamespace

import pytest
from fastapi import WebSocket

from headrace.streams import StreamError
from headrace.streams.limits import EndpointLimits
from headrace.streams.stream import Stream
from headrace.vllm.endpoint import websocket
from headrace.vllm.endpoint.sessions import Sessions


class Slow(Stream):
    """Takes a while to refuse its last chunk; never answers."""

    prompt_tokens = 1

    async def _open(self, mode, prompt, final):
        self.chunks = 1

    async def _send(self, mode, prompt, final):
        await asyncio.sleep(0.3)
        raise StreamError("chunk", "is wrong", "send another")

    async def _deltas(self):
        await asyncio.Event().wait()
        yield

    async def _abort(self):
        pass


def test_a_client_that_is_silent_after_a_refused_last_chunk_is_not_waited_for():
    async def run():
        sessions = Sessions(EndpointLimits(idle_timeout_s=0.1))
        async with Slow("slow") as stream:
            sessions.open(stream, "model")
            await stream.append("a")
            with pytest.raises(StreamError, match="is wrong"):
                await stream.close("b")
            async with asyncio.timeout(5):
                await stream.wait()
            await asyncio.sleep(0)
            return stream.failure, len(sessions), sessions.state("slow")["status"]

    failure, left, status = asyncio.run(run())
    assert failure.status == 408 and (left, status) == (0, "failed")


@pytest.mark.parametrize(("heard", "raised"), [(True, None), (False, RuntimeError)])
def test_a_word_to_a_client_that_has_just_left_is_no_error(monkeypatch, heard, raised):
    """The web server refuses to send after its application has heard of the end."""

    async def converse(socket, service):
        if heard:
            await socket.receive()

    async def run():
        told = iter([{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1000}])

        async def receive():
            return next(told)

        async def send(message):
            if message["type"] == "websocket.close":
                raise RuntimeError("Unexpected ASGI message")

        app = SimpleNamespace(state=SimpleNamespace(headrace=SimpleNamespace(admit=lambda headers: None)))
        scope = {"type": "websocket", "headers": [], "app": app}
        await websocket.serve(WebSocket(scope, receive, send))

    monkeypatch.setattr(websocket, "_converse", converse)
    if raised is None:
        asyncio.run(run())
    else:
        with pytest.raises(raised):
            asyncio.run(run())
