"""Prompts that stream to a server: a client without vLLM, and what clients and server share.

    from headrace.streams import Client

    client = Client("http://localhost:8000", api_key="...")
    async with client.stream(max_tokens=64, temperature=0) as stream:
        await stream.append("a page")
        async for token in stream.finish("the question"):
            print(token.text, end="")

The client needs the package websockets (`pip install headrace[client]`), the rest of this package nothing.
"""

from headrace.streams.client import Client
from headrace.streams.error import StreamError
from headrace.streams.stream import Stream
from headrace.streams.token import Completion, Token

__all__ = ["Client", "Completion", "Stream", "StreamError", "Token"]
