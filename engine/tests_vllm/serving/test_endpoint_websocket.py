"""/v1/stream as a WebSocket, on vLLM's own API server; by hand and with the client."""

import asyncio
import json
import random
from functools import partial

import pytest
import websockets
from api_server import KEY, MODEL
from test_endpoint_http import GREEDY, aborted, completion, prompt, running, within
from words import text

from headrace.errors import HeadraceError
from headrace.streams import Client, StreamError


@pytest.fixture(autouse=True)
def lives(server):
    """After whatever a client did, the server answers an ordinary request."""
    yield
    assert server.serves()


def connect(server, key=KEY):
    url = server.url.replace("http", "ws") + "/v1/stream"
    return websockets.connect(url, additional_headers={"Authorization": f"Bearer {key}"} if key else {})


def talk(server, *messages, pause_s=0.0):
    """(answers, close code) of a connection that sends these, each an object or text."""

    async def run():
        async with connect(server) as socket:
            for message in messages:
                await socket.send(message if isinstance(message, str | bytes) else json.dumps(message))
                await asyncio.sleep(pause_s)
            answers = []
            try:
                while True:
                    answers.append(json.loads(await asyncio.wait_for(socket.recv(), 30)))
            except websockets.ConnectionClosed:
                return answers, socket.close_code

    return asyncio.run(run())


def test_the_answer_comes_piece_by_piece(server):
    ids = prompt(700)
    answers, code = talk(
        server,
        {"type": "append", "prompt": ids[:300], "model": MODEL} | GREEDY,
        {"type": "update", "prompt": ids[:200] + [7] * 50},
        {"type": "update", "prompt": ids, "final": True},
        pause_s=0.1,
    )
    opened, *pieces = answers
    assert (opened["type"], opened["object"], opened["prompt_tokens"]) == ("opened", "stream", 300)
    assert [piece["type"] for piece in pieces] == ["delta"] * (len(pieces) - 1) + ["done"]
    choices = [piece["choices"][0] for piece in pieces]
    tokens = [token for choice in choices for token in choice["token_ids"]]
    assert (tokens, "".join(choice["text"] for choice in choices)) == completion(server, ids)
    assert pieces[-1]["usage"] == {"prompt_tokens": 700, "completion_tokens": 6, "total_tokens": 706}
    assert pieces[-1]["stream_metrics"]["chunks"] == 3
    assert {piece["id"] for piece in answers} == {opened["id"]}
    assert code == 1000


def test_binary_messages_are_read_too(server):
    answers, code = talk(server, json.dumps({"prompt": "w5 w6", "final": True} | GREEDY).encode())
    assert answers[-1]["choices"][0]["finish_reason"] == "length" and code == 1000


FIRST = {"prompt": [5, 6, 7]} | GREEDY
BAD = {
    "no JSON": (["{"], 400, "is not JSON"),
    "empty first chunk": ([{"prompt": []}], 400, "the first chunk is empty"),
    "unknown mode": ([FIRST, {"type": "replace", "prompt": [5]}], 400, "'replace' is unknown"),
    "unknown key": ([FIRST | {"temprature": 1}], 400, "did you mean 'temperature'?"),
    "id out of range": ([FIRST, {"prompt": [1024]}], 400, "token id 1024 is out of vocabulary"),
    "another model": ([FIRST | {"model": "other"}], 404, "'other' is not served"),
    "sampling later": ([FIRST, {"prompt": [5], "seed": 1}], 400, "comes after the first message"),
    "too long in all": ([{"prompt": [5] * 1400}] * 2, 400, "the prompt would be 2800 tokens long"),
    "half a character": (['{"prompt": [5], "\\ud800": 1}'], 400, "key \\ud800: is unknown"),
    "half a character later": ([FIRST, '{"prompt": "\\ud800"}'], 400, "half a character"),
    "too many bytes": ([" " * 200_001], 413, "longer than 200000 bytes"),
    "too many tokens": ([{"prompt": [5] * 1501}], 413, "a chunk of 1501 tokens"),
    "silent": ([], 408, "no message for 3 s"),
    "silent later": ([FIRST], 408, "no message for 3 s"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_message_ends_this_stream_only(server, what):
    messages, status, told = BAD[what]
    answers, code = talk(server, *messages)
    error = answers[-1]["error"]
    assert answers[-1]["type"] == "error" and error["code"] == status and told in error["message"]
    assert "\n" not in error["message"]
    assert code == 4000 + status


@pytest.mark.parametrize("late", [{"prompt": [5]}, {"type": "update", "prompt": [5]}, {"final": True}])
def test_nothing_may_follow_the_final_message(server, late):
    before = aborted(server)
    answers, code = talk(server, FIRST | {"max_tokens": 1900, "final": True}, late)
    assert answers[-1]["error"]["code"] == 409 and "its prompt is closed" in answers[-1]["error"]["message"]
    assert code == 4409
    assert within(20, lambda: aborted(server) == before + 1)


def test_a_stream_that_was_finished_over_http(server):
    async def run():
        async with connect(server) as socket:
            await socket.send(json.dumps(FIRST))
            id = json.loads(await socket.recv())["id"]
            answer = await asyncio.to_thread(server.http.post, f"/v1/stream/{id}", json={"final": True})
            return answer.status_code, json.loads(await socket.recv())["error"]

    status, error = asyncio.run(run())
    assert status == 200 and error["code"] == 409 and "its prompt is closed" in error["message"]


def test_a_message_longer_than_the_web_server_takes(server):
    answers, code = talk(server, " " * (17 * 2**20))
    assert answers == [] and code == 1009


def test_clients_that_vanish(server):
    async def vanish(after):
        socket = await connect(server)
        for message in after:
            await socket.send(json.dumps(message))
        await asyncio.sleep(0.3)
        socket.transport.abort()

    long = FIRST | {"max_tokens": 1900}
    asyncio.run(vanish([]))
    for after in ([long], [long, {"prompt": [5] * 500}], [long | {"final": True}]):
        before = aborted(server)
        asyncio.run(vanish(after))
        assert within(2, partial(aborted_since, server, before))  # sooner than a silent one
    assert not running(server)


def aborted_since(server, before):
    return aborted(server) == before + 1


def test_too_many_connections(server):
    async def run():
        sockets = [await connect(server) for _ in range(8)]
        for socket in sockets[:4]:
            await socket.send(json.dumps(FIRST))
            await socket.recv()
        extra = await connect(server)
        answer = json.loads(await extra.recv())
        await extra.wait_closed()
        for socket in sockets:
            await socket.close()
        return answer, extra.close_code

    answer, code = asyncio.run(run())
    assert answer["error"]["code"] == 429 and "8 are open" in answer["error"]["message"] and code == 4429


def test_the_client_has_the_interface_of_the_one_in_process(server):
    ids = prompt(400, seed=5)

    async def run():
        client = Client(server.url, api_key=KEY, model=MODEL)
        async with client.stream(**GREEDY) as stream:
            await stream.append(ids[:150])
            await stream.update(ids[:100] + [9] * 30)
            await stream.update(ids[:350])
            tokens = [token async for token in stream.finish(ids[350:])]
        async with client.stream(**GREEDY) as other:
            await other.append(text(ids[:30]))
            whole = await other.complete(text(ids[30:60]))
        return tokens, stream, whole

    tokens, stream, whole = asyncio.run(run())
    expected = completion(server, ids)
    assert ([token.id for token in tokens], "".join(token.text for token in tokens)) == expected
    assert stream.report["prompt_tokens"] == 400 and stream.report["chunks"] == 4
    assert stream.report["stream"] == stream.id and stream.finish_reason == "length"
    assert (whole.token_ids, whole.text) == completion(server, text(ids[:60]))


def test_the_clients_errors(server):
    async def refused(client, *chunks, **sampling):
        with pytest.raises(StreamError) as caught:
            async with client.stream(**sampling) as stream:
                for chunk in chunks:
                    await stream.append(chunk)
                await stream.complete()
        return caught.value

    client = Client(server.url, api_key=KEY)
    cases = [
        (client, ([5], [1024]), {}, 400, "token id 1024 is out of vocabulary"),
        (client, ([],), {}, 400, "the first chunk is empty"),
        (client, ("w5",), {"max_token": 3}, 400, "did you mean 'max_tokens'?"),
        (client, ("w5",), {"max_tokens": 0}, 400, "max_tokens"),
        (Client(server.url, api_key=KEY, model="other"), ("w5",), {}, 404, "'other' is not served"),
        (Client(server.url, api_key="wrong"), ("w5",), {}, 401, "give the server's key"),
        (Client(server.url), ("w5",), {}, 401, "give the server's key"),
        (Client("http://127.0.0.1:1"), ("w5",), {}, 503, "start the server"),
        (client, (" " * 17 * 2**20,), {}, 413, "too long"),
        (Client(server.url, api_key=KEY, timeout_s=1e-6), ([5] * 500,), {}, 504, "no token for"),
    ]
    for client, chunks, sampling, status, told in cases:
        error = asyncio.run(refused(client, *chunks, **sampling))
        assert told in str(error) and error.status == status
    with pytest.raises(HeadraceError, match="names no server"):
        Client("localhost:8000")
    assert within(20, lambda: not running(server))


def test_a_client_that_leaves_early(server):
    async def run():
        async with Client(server.url, api_key=KEY).stream(max_tokens=1900, ignore_eos=True) as stream:
            await stream.append([5] * 300)
            async for _ in stream.finish():
                break

    before = aborted(server)
    asyncio.run(run())
    assert within(20, lambda: aborted(server) == before + 1)


def test_several_clients_at_once(server):
    prompts = [prompt(60 + 41 * i, seed=20 + i) for i in range(6)]

    async def one(ids):
        draw = random.Random(len(ids))
        async with Client(server.url, api_key=KEY).stream(**GREEDY) as stream:
            for start in range(0, len(ids), 50):
                await stream.append(ids[start : start + 50])
                await asyncio.sleep(draw.random() * 0.05)
            return (await stream.complete()).token_ids

    async def run():
        return await asyncio.gather(*map(one, prompts))

    assert asyncio.run(run()) == [completion(server, ids)[0] for ids in prompts]
