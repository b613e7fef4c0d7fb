"""The server's API key: for both forms, with vLLM's middleware in front and by the routes alone."""

import asyncio
import json
from types import SimpleNamespace

import pytest
import websockets
from api_server import KEY
from fastapi import FastAPI
from starlette.testclient import TestClient, WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from headrace.streams.limits import EndpointLimits
from headrace.vllm.endpoint import StreamEndpoint
from headrace.vllm.endpoint.keys import Keys
from headrace.vllm.endpoint.origins import Origins
from headrace.vllm.endpoint.service import Service
from headrace.vllm.scheduler import StreamScheduler

REFUSED = {
    "missing": {},
    "wrong": {"Authorization": "Bearer wrong-key"},
    "beginning": {"Authorization": f"Bearer {KEY[:-1]}"},
    "longer": {"Authorization": f"Bearer {KEY}x"},
    "empty": {"Authorization": "Bearer"},
    "another scheme": {"Authorization": f"Basic {KEY}"},
    "bare": {"Authorization": KEY},
}
ROUTES = [("POST", "/v1/stream"), *((method, "/v1/stream/x") for method in ("POST", "GET", "DELETE"))]


@pytest.mark.parametrize("what", REFUSED)
def test_plain_http_of_the_server(server, what):
    import httpx

    with httpx.Client(base_url=server.url, trust_env=False) as client:
        for method, path in ROUTES:
            body = {"prompt": [5], "final": True}
            assert client.request(method, path, json=body, headers=REFUSED[what]).status_code == 401


def test_plain_http_of_the_server_with_the_right_key(server):
    body = {"prompt": [5], "final": True, "max_tokens": 1}
    assert server.http.post("/v1/stream", json=body).status_code == 200


@pytest.mark.parametrize("what", REFUSED)
def test_websocket_of_the_server(server, what):
    async def run():
        url = server.url.replace("http", "ws") + "/v1/stream"
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with websockets.connect(url, additional_headers=REFUSED[what]):
                pass
        return caught.value.response.status_code

    assert asyncio.run(run()) == 401


def test_websocket_of_the_server_with_the_right_key(server):
    async def run():
        url = server.url.replace("http", "ws") + "/v1/stream"
        async with websockets.connect(url, additional_headers={"Authorization": f"Bearer {KEY}"}) as socket:
            await socket.send(json.dumps({"prompt": [5], "final": True, "max_tokens": 1}))
            return [json.loads(answer)["type"] async for answer in socket]

    assert asyncio.run(run()) == ["opened", "done"]


@pytest.fixture
def bare():
    """The routes alone: an application without vLLM's middleware and without an engine."""
    app = FastAPI()
    StreamEndpoint().attach_router(app)
    limits = EndpointLimits(idle_timeout_s=0.05)
    engine = SimpleNamespace(
        vllm_config=SimpleNamespace(
            scheduler_config=SimpleNamespace(get_scheduler_cls=lambda: StreamScheduler)
        )
    )
    app.state.headrace = Service(engine, limits, ["tiny"], Keys(["other", KEY]), Origins(["http://page"]))
    return TestClient(app)


@pytest.mark.parametrize("what", REFUSED)
def test_plain_http_of_the_routes_alone(bare, what):
    for method, path in ROUTES:
        answer = bare.request(method, path, headers=REFUSED[what])
        assert answer.status_code == 401
        assert answer.json()["error"]["type"] == "AuthenticationError"


@pytest.mark.parametrize("what", REFUSED)
def test_websocket_of_the_routes_alone(bare, what):
    connection = bare.websocket_connect("/v1/stream", headers=REFUSED[what])
    with pytest.raises(WebSocketDenialResponse) as caught, connection:
        pass
    assert caught.value.status_code == 401


@pytest.mark.parametrize(
    ("root_path", "path"),
    [("", "/v1/stream?api_key=" + KEY), ("/v", "/v1/stream"), ("/v1", "/v1/stream"), ("/x", "/x/v1/stream")],
)
def test_neither_an_odd_path_nor_a_query_lets_anybody_in(bare, root_path, path):
    client = TestClient(bare.app, root_path=root_path)
    assert client.post(path, json={"prompt": [5]}).status_code in (401, 404)
    assert client.get(path.replace("stream", "stream/x")).status_code in (401, 404)
    with pytest.raises((WebSocketDenialResponse, WebSocketDisconnect)), client.websocket_connect(path):
        pass


def test_neither_a_sub_protocol_nor_a_second_header_lets_anybody_in(bare):
    for headers in (
        [("sec-websocket-protocol", f"bearer, {KEY}")],
        [("authorization", "Bearer wrong"), ("authorization", f"Bearer {KEY}")],
        [("x-api-key", KEY)],
        [("cookie", f"authorization=Bearer {KEY}")],
    ):
        assert bare.get("/v1/stream/x", headers=headers).status_code == 401
        connection = bare.websocket_connect("/v1/stream", headers=dict(headers[:1]))
        with pytest.raises(WebSocketDenialResponse), connection:
            pass


@pytest.mark.parametrize("name", ["authorization", "AUTHORIZATION", "Authorization"])
@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_the_case_of_header_and_scheme_does_not_matter(bare, name, scheme):
    assert bare.get("/v1/stream/x", headers={name: f"{scheme} {KEY}"}).status_code == 404


@pytest.mark.parametrize("key", [KEY, "other"])
def test_the_routes_alone_let_right_keys_in(bare, key):
    headers = {"Authorization": f"bearer {key}"}
    assert bare.get("/v1/stream/x", headers=headers).status_code == 404
    with bare.websocket_connect("/v1/stream", headers=headers) as socket:
        assert socket.receive_json()["error"]["code"] == 408
        with pytest.raises(WebSocketDisconnect):
            socket.receive_json()


@pytest.mark.parametrize("keys", [[], [None], [""]])
def test_a_server_without_keys_lets_everybody_in(bare, keys):
    bare.app.state.headrace.keys = Keys(keys)
    assert bare.get("/v1/stream/x").status_code == 404


AUTHORIZED = {"Authorization": f"Bearer {KEY}"}


@pytest.mark.parametrize(
    "origin",
    ["http://elsewhere", "http://page:81", "https://page", "null", "", "http://[", "http://testserver.x"],
)
def test_a_page_of_another_origin_is_refused(bare, origin):
    headers = AUTHORIZED | {"Origin": origin}
    for method, path in ROUTES:
        answer = bare.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "PermissionDeniedError")
    connection = bare.websocket_connect("/v1/stream", headers=headers)
    with pytest.raises(WebSocketDenialResponse) as caught, connection:
        pass
    assert caught.value.status_code == 403


@pytest.mark.parametrize("origin", ["http://page", "http://testserver"])
def test_a_page_that_is_allowed_and_one_of_the_server_are_let_in(bare, origin):
    headers = AUTHORIZED | {"Origin": origin}
    assert bare.get("/v1/stream/x", headers=headers).status_code == 404
    with bare.websocket_connect("/v1/stream", headers=headers) as socket:
        assert socket.receive_json()["error"]["code"] == 408


def test_all_origins(bare):
    bare.app.state.headrace.origins = Origins(["*"])
    headers = AUTHORIZED | {"Origin": "http://elsewhere"}
    assert bare.get("/v1/stream/x", headers=headers).status_code == 404


@pytest.mark.parametrize("key", [None, KEY])
def test_pages_and_the_server(server, key):
    """Its --allowed-origins is vLLM's default: none."""

    async def status():
        url = server.url.replace("http", "ws") + "/v1/stream"
        headers = {"Origin": "http://elsewhere"} | (AUTHORIZED if key else {})
        with pytest.raises(websockets.InvalidStatus) as caught:
            async with websockets.connect(url, additional_headers=headers):
                pass
        return caught.value.response.status_code

    assert asyncio.run(status()) == (403 if key else 401)
    answer = server.http.post("/v1/stream", json={"prompt": [5]}, headers={"Origin": "http://elsewhere"})
    assert answer.status_code == 403
