"""What both forms of the endpoint do with a message."""

from collections.abc import Mapping
from http import HTTPStatus

from headrace.errors import nearest
from headrace.streams.error import StreamError
from headrace.streams.limits import EndpointLimits
from headrace.streams.message import LONGEST_NAME, Message
from headrace.vllm import private
from headrace.vllm.client import Client, as_stream_errors
from headrace.vllm.endpoint.keys import Keys
from headrace.vllm.endpoint.origins import Origins
from headrace.vllm.endpoint.sessions import Session, Sessions


class Service:
    """An engine, its limits, the names its model goes by (the first one is shown), and who may use it."""

    def __init__(self, engine, limits: EndpointLimits, models: list[str], keys: Keys, origins: Origins):
        self.client = Client(engine)
        self.limits, self.models, self.keys, self.origins = limits, models, keys, origins
        self.sessions = Sessions(limits)

    def admit(self, headers: Mapping[str, str]) -> None:
        """Raises StreamError for a request without the API key, or of a web page that is not allowed."""
        self.keys.check(headers)
        self.origins.check(headers)

    def open(self, message: Message) -> Session:
        """A session for a first message, whose chunk is still to be taken. Raises StreamError."""
        if message.model is not None and message.model not in self.models:
            remedy = nearest(message.model[:LONGEST_NAME], self.models)
            problem = f"{message.model!r} is not served"
            raise StreamError("key model", problem, remedy, HTTPStatus.NOT_FOUND)
        with as_stream_errors("sampling parameters"):
            params = private.sampling_params(self.client.engine, message.sampling)
        stream = self.client.stream(params, max_chunk_tokens=self.limits.max_message_tokens)
        return self.sessions.open(stream, message.model or self.models[0])

    async def take(self, session: Session, message: Message) -> None:
        """Change the prompt as a message says, and close it if that is the last. Raises StreamError."""
        session.heard()
        stream = session.stream
        if message.final:
            await stream.close(message.prompt, message.mode)
        else:
            await (stream.append if message.mode == "append" else stream.update)(message.prompt)

    def check_size(self, size_bytes: int) -> None:
        """Raises StreamError 413 for a message longer than the limit."""
        if size_bytes > self.limits.max_message_bytes:
            raise StreamError(
                "message",
                f"is longer than {self.limits.max_message_bytes} bytes",
                "send it in smaller chunks, or raise headrace.endpoint.max_message_bytes",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
