"""The client of a server's WebSocket /v1/stream, with the interface of `headrace.vllm.client`."""

import json
import uuid
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from headrace.errors import HeadraceError
from headrace.streams import parameters
from headrace.streams.error import StreamError
from headrace.streams.stream import Prompt, Stream
from headrace.streams.token import Delta

REMEDY = {401: "give the server's key: Client(url, api_key=...)", 403: "start it with VLLM_PLUGINS=headrace"}
SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class Client:
    """Streams prompts to a vLLM server that runs Headrace's endpoint.

    `url` is the server's ("http://host:8000"), `api_key` one of its keys (--api-key), `model` the name it
    must serve (None: whichever), `timeout_s` how long to wait for each token once a prompt is closed.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        model: str | None = None,
        timeout_s: float | None = None,
    ):
        try:
            parts = urlsplit(url)
            named = parts.scheme in SCHEMES and parts.hostname and parts.port != 0
        except ValueError:  # a port or an address that is none
            named = False
        if not named:
            raise HeadraceError("url", f"{url!r} names no server", "give one such as http://localhost:8000")
        path = parts.path.rstrip("/").removesuffix("/v1") + "/v1/stream"
        self.url = urlunsplit((SCHEMES[parts.scheme], parts.netloc, path, "", ""))
        self.api_key, self.model, self.timeout_s = api_key, model, timeout_s

    def stream(self, *, timeout_s: float | None = None, **sampling: Any) -> "WebSocketStream":
        """A stream with these sampling parameters: max_tokens, temperature, top_p, stop, seed, ...

        They have the names and defaults of /v1/completions. Raises StreamError for an unknown one. The
        connection is made with the first chunk.
        """
        first = parameters.checked(sampling)
        if self.model is not None:
            first["model"] = self.model
        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        return WebSocketStream(self.url, headers, first, self.timeout_s if timeout_s is None else timeout_s)


class WebSocketStream(Stream):
    """A stream over a WebSocket of its own."""

    def __init__(self, url: str, headers: dict[str, str], first: dict[str, Any], timeout_s: float | None):
        super().__init__(f"stream-{uuid.uuid4().hex}", timeout_s)
        self._url, self._headers, self._first = url, headers, first
        self._socket = None
        self._prompt_tokens: int | None = None

    async def _open(self, mode: str, prompt: Prompt, final: bool) -> None:
        websockets = _websockets()
        try:
            self._socket = await websockets.connect(
                self._url, additional_headers=self._headers, max_size=None, compression=None
            )
        except websockets.InvalidStatus as error:
            raise _refused(self._url, error.response) from None
        except (OSError, TimeoutError, websockets.WebSocketException) as error:
            raise StreamError(
                self._url,
                f"no connection: {error or type(error).__name__}",
                "start the server, or look at its log",
                HTTPStatus.SERVICE_UNAVAILABLE,
            ) from None
        try:
            await self._put({"type": mode, "prompt": prompt, "final": final} | self._first)
        except StreamError:
            await self._leave()
            raise

    async def _send(self, mode: str, prompt: Prompt, final: bool) -> None:
        await self._put({"type": mode, "prompt": prompt or None, "final": final})

    async def _put(self, message: dict[str, Any]) -> None:
        self.chunks += 1
        try:
            await self._socket.send(json.dumps(message))
        except _websockets().ConnectionClosed as error:
            if self._reading is not None:
                await self.wait()  # the server said why before it closed
            raise self._failure or _closed(self._url, error) from None

    async def _deltas(self) -> AsyncIterator[Delta]:
        try:
            async for text in self._socket:
                answer = json.loads(text)
                if answer["type"] == "error":
                    error = answer["error"]
                    raise StreamError.told(error["message"], error["code"])
                if answer["type"] == "opened":
                    self.id = answer["id"]
                    continue
                choice = answer["choices"][0]
                yield Delta(
                    tuple(choice["token_ids"]),
                    choice["text"],
                    choice["finish_reason"],
                    choice["stop_reason"],
                    answer.get("stream_metrics"),
                )
                if choice["finish_reason"] is not None:
                    return
        except _websockets().ConnectionClosed as error:
            raise _closed(self._url, error) from None
        raise StreamError(self._url, "closed before the answer was whole", "see the server's log", 500)

    async def _abort(self) -> None:
        """Leaving is enough: the server aborts the request of a client that has gone."""
        await self._leave()

    async def _leave(self) -> None:
        if self._socket is not None:
            await self._socket.close()


def _websockets():
    try:
        import websockets
    except ModuleNotFoundError:
        raise HeadraceError(
            "headrace.streams", "the package websockets is not installed", "pip install headrace[client]"
        ) from None
    return websockets


def _refused(url: str, response) -> StreamError:
    """The error of a server that answered the handshake with an HTTP status instead."""
    status = response.status_code
    try:
        error = json.loads(response.body)["error"]
        if isinstance(error, dict):
            return StreamError.told(error["message"], status)
    except (ValueError, KeyError, TypeError):
        pass
    return StreamError(url, f"refused with HTTP status {status}", REMEDY.get(status, "see its log"), status)


def _closed(url: str, error) -> StreamError:
    """The error of a connection that broke without a word from the server."""
    frame = error.rcvd
    if frame is not None and frame.code == 1009:
        return StreamError(
            url,
            "a message is too long for the server",
            "send it in smaller chunks",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )
    return StreamError(
        url, f"the connection broke: {error}", "see the server's log", HTTPStatus.SERVICE_UNAVAILABLE
    )
