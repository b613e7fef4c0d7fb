"""The WebSocket client, as far as it needs no server."""

import asyncio
import builtins

import pytest

from headrace.errors import HeadraceError
from headrace.streams import Client, StreamError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://host:8000", "ws://host:8000/v1/stream"),
        ("http://host:8000/", "ws://host:8000/v1/stream"),
        ("https://host/v1", "wss://host/v1/stream"),
        ("https://host/behind/v1/", "wss://host/behind/v1/stream"),
        ("ws://host:1", "ws://host:1/v1/stream"),
    ],
)
def test_addresses(url, address):
    assert Client(url).url == address


@pytest.mark.parametrize(
    "url",
    ["", "host:8000", "ftp://host", "http://", "http://:80", "http://h:x", "http://h:99999", "http://[::1"],
)
def test_addresses_that_name_no_server(url):
    with pytest.raises(HeadraceError, match="names no server"):
        Client(url)


def test_parameters_are_checked_before_anything_is_sent():
    with pytest.raises(StreamError, match="did you mean 'temperature'"):
        Client("http://host").stream(temprature=0)


def test_a_time_of_zero_is_not_for_ever():
    with pytest.raises(StreamError, match="timeout_s"):
        Client("http://host", timeout_s=5.0).stream(timeout_s=0)


def test_without_websockets_it_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def missing(name, *args, **kwargs):
        if name == "websockets":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)

    async def run():
        async with Client("http://127.0.0.1:1").stream() as stream:
            await stream.append("a")

    with pytest.raises(HeadraceError, match=r"pip install headrace\[client\]"):
        asyncio.run(run())
