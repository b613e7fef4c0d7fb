"""The WebSocket form of /v1/stream: one connection, one stream."""

import asyncio
from http import HTTPStatus

from fastapi import WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse
from starlette.websockets import WebSocketState

from headrace.streams.error import StreamError
from headrace.streams.message import read
from headrace.streams.stream import Stream
from headrace.vllm.endpoint import answers
from headrace.vllm.endpoint.service import Service
from headrace.vllm.endpoint.sessions import Session


async def serve(socket: WebSocket) -> None:
    """Take messages until the final one, then send the answer piece by piece and close.

    An error is a message too, {"type": "error", "error": {...}}; the connection closes after it, with
    4000 + the HTTP status, and the request is aborted.
    """
    service: Service = socket.app.state.headrace
    try:
        service.admit(socket.headers)
    except StreamError as error:
        await _deny(socket, error)
        return
    await socket.accept()
    try:
        await _converse(socket, service)
        await socket.close()
    except StreamError as error:
        await _fail(socket, error)
    except WebSocketDisconnect:
        pass
    except RuntimeError:
        # What the web server raises for a word to a client whose leaving was heard just before.
        if socket.client_state is not WebSocketState.DISCONNECTED:
            raise


async def _converse(socket: WebSocket, service: Service) -> None:
    with service.sessions.seat():
        idle_s = service.limits.idle_timeout_s
        try:
            async with asyncio.timeout(idle_s):
                text = await _receive(socket, service)
        except TimeoutError:
            raise StreamError(
                "stream", f"no message for {idle_s:g} s", "send the first chunk", HTTPStatus.REQUEST_TIMEOUT
            ) from None
        message = read(text, first=True)
    session = service.open(message)
    async with session.stream as stream:
        await service.take(session, message)
        await socket.send_json({"type": "opened"} | session.state())
        while not message.final:
            text = await _before(stream.wait(), _receive(socket, service))
            if text is None:
                raise stream.failure or _closed(stream)  # over HTTP, by its id
            message = read(text, first=False)
            await service.take(session, message)
        if await _before(_receive(socket, service), _send(socket, session)) is None:
            raise _closed(stream)


def _closed(stream: Stream) -> StreamError:
    return StreamError(
        stream.id, "its prompt is closed: final came before", "open a new one", HTTPStatus.CONFLICT
    )


async def _before(other, wanted):
    """What `wanted` returns, or None if `other` is done first; whichever is not done is cancelled."""
    tasks = asyncio.create_task(other), asyncio.create_task(wanted)
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if tasks[1] in done:
            return tasks[1].result()
        tasks[0].result()
        return None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _receive(socket: WebSocket, service: Service) -> str | bytes:
    """The next message. Raises StreamError for one that is too long, WebSocketDisconnect at the end."""
    frame = await socket.receive()
    if frame["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(frame["code"])
    text = frame.get("text")
    if text is None:
        text = frame["bytes"]
    service.check_size(len(text) if isinstance(text, bytes) else len(text.encode()))
    return text


async def _send(socket: WebSocket, session: Session) -> bool:
    async for delta in session.stream.deltas():
        last = delta.finish_reason is not None
        if delta.token_ids or delta.text or last:
            kind = "done" if last else "delta"
            await socket.send_json({"type": kind} | answers.piece(session, delta))
    return True


async def _fail(socket: WebSocket, error: StreamError) -> None:
    try:
        await socket.send_json({"type": "error"} | error.answer())
        await socket.close(error.close_code, error.type)
    except (WebSocketDisconnect, RuntimeError):  # gone meanwhile
        pass


async def _deny(socket: WebSocket, error: StreamError) -> None:
    """Answer the handshake with an HTTP status; servers that can't send a bare 403."""
    if "websocket.http.response" in socket.scope.get("extensions", {}):
        await socket.send_denial_response(JSONResponse(error.answer(), error.status))
    else:
        await socket.close()
