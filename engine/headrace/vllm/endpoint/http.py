"""The plain-HTTP form of /v1/stream: one POST per chunk, the answer with the last one."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus

from fastapi import Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect

from headrace.streams.error import StreamError
from headrace.streams.message import Message, read
from headrace.streams.stream import Stream
from headrace.vllm.endpoint import answers
from headrace.vllm.endpoint.service import Service
from headrace.vllm.endpoint.sessions import Session

GONE = 499  # nobody reads it: the client has closed the connection
# What follows of such a message is never read.
UNREAD = (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)

Handler = Callable[[Service, Request], Awaitable[Response]]


def _route(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """A handler for those who are let in, whose StreamErrors are answers."""

    @functools.wraps(handler)
    async def route(request: Request) -> Response:
        service: Service = request.app.state.headrace
        try:
            service.admit(request.headers)
            return await handler(service, request)
        except StreamError as error:
            headers = {"Connection": "close"} if error.status in UNREAD else None
            return JSONResponse(error.answer(), error.status, headers)
        except ClientDisconnect:
            return Response(status_code=GONE)

    del route.__wrapped__  # FastAPI would read its parameters instead
    return route


@_route
async def open_stream(service: Service, request: Request) -> Response:
    """POST /v1/stream: the first chunk. Answers the state of the stream, or if final the completion."""
    with service.sessions.seat():  # however slowly it comes, it counts
        message = read(await _body(service, request), first=True)
    session = service.open(message)
    try:
        await service.take(session, message)
    except BaseException:
        async with session.stream:  # nobody has its id yet
            raise
    return await _answer(request, session, message)


@_route
async def change_stream(service: Service, request: Request) -> Response:
    """POST /v1/stream/{id}: a further chunk. A refused one leaves the stream as it was."""
    session = service.sessions.find(request.path_params["id"])
    message = read(await _body(service, request), first=False)
    await service.take(session, message)
    return await _answer(request, session, message)


@_route
async def show_stream(service: Service, request: Request) -> Response:
    """GET /v1/stream/{id}: the state of a stream, for a while also of one that has ended."""
    return JSONResponse(service.sessions.state(request.path_params["id"]))


@_route
async def abort_stream(service: Service, request: Request) -> Response:
    """DELETE /v1/stream/{id}: abort it. Answers its last state, as it does for one that has ended."""
    id = request.path_params["id"]
    state = service.sessions.state(id)
    if state["status"] in ("open", "generating"):
        session = service.sessions.find(id)
        await session.stream.abort()
        state = session.state()
    return JSONResponse(state)


async def _body(service: Service, request: Request) -> bytes:
    """The body, read no further than a message may be long, and no longer than a client may be silent."""
    parts, size_bytes, idle_s = [], 0, service.limits.idle_timeout_s
    try:
        async with asyncio.timeout(idle_s):
            async for part in request.stream():
                size_bytes += len(part)
                service.check_size(size_bytes)
                parts.append(part)
    except TimeoutError:
        raise StreamError(
            "message", f"is not whole after {idle_s:g} s", "send it faster", HTTPStatus.REQUEST_TIMEOUT
        ) from None
    return b"".join(parts)


async def _answer(request: Request, session: Session, message: Message) -> Response:
    if not message.final:
        return JSONResponse(session.state())
    if message.stream:
        return EventStream(session)
    async with session.stream as stream:
        whole = asyncio.create_task(stream.completion())
        gone = asyncio.create_task(_disconnected(request))
        try:
            await asyncio.wait({whole, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not whole.done():
                return Response(status_code=GONE)
            return JSONResponse(answers.whole(session, whole.result()))
        finally:
            whole.cancel()
            gone.cancel()


async def _disconnected(request: Request) -> None:
    """Wait until the client is gone; its body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """The pieces of an answer as server-sent events, ended by [DONE]. When it ends, so does the request."""

    def __init__(self, session: Session):
        super().__init__(_events(session), HTTPStatus.OK, media_type="text/event-stream")
        self._stream: Stream = session.stream

    async def __call__(self, scope, receive, send) -> None:
        async with self._stream:  # also if the client is gone before the first event
            await super().__call__(scope, receive, send)


async def _events(session: Session) -> AsyncIterator[str]:
    try:
        async for delta in session.stream.deltas():
            if delta.token_ids or delta.text or delta.finish_reason is not None:
                yield f"data: {json.dumps(answers.piece(session, delta))}\n\n"
    except StreamError as error:
        yield f"data: {json.dumps(error.answer())}\n\n"
    yield "data: [DONE]\n\n"
