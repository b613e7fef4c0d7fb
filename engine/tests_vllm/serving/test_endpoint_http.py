"""/v1/stream as plain HTTP, on vLLM's own API server."""

import contextlib
import json
import random
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from api_server import MODEL
from words import text

GREEDY = {"max_tokens": 6, "temperature": 0, "ignore_eos": True}


def prompt(tokens, seed=0):
    """Random token ids."""
    draw = random.Random(seed)
    return [draw.randrange(3, 1024) for _ in range(tokens)]


def completion(server, ids):
    """(token ids, text) of /v1/completions, without streaming."""
    body = {"prompt": ids, "return_token_ids": True} | GREEDY
    (choice,) = server.http.post("/v1/completions", json=body).raise_for_status().json()["choices"]
    return choice["token_ids"], choice["text"]


def opened(server, **message):
    answer = server.http.post("/v1/stream", json={"prompt": [5, 6, 7]} | GREEDY | message)
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


def sent(server, id, **message):
    return server.http.post(f"/v1/stream/{id}", json=message)


def error_of(answer, status, kind):
    """The message of an error in OpenAI's form."""
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (status, status, kind), answer.text
    assert "\n" not in error["message"]
    return error["message"]


@pytest.fixture(autouse=True)
def lives(server):
    """After whatever a client did, the server answers an ordinary request."""
    yield
    assert server.serves()


def test_chunk_by_chunk_and_then_the_completion(server):
    ids = prompt(700)
    first = server.http.post(
        "/v1/stream", json={"type": "append", "prompt": ids[:300], "model": MODEL} | GREEDY
    )
    state = first.raise_for_status().json()
    id = state["id"]
    assert state | {"id": 0, "created": 0} == {
        "id": 0,
        "object": "stream",
        "created": 0,
        "model": MODEL,
        "status": "open",
        "prompt_tokens": 300,
        "chunks": 1,
        "error": None,
    }
    time.sleep(0.2)
    assert sent(server, id, type="update", prompt=ids[:200] + [7] * 50).json()["prompt_tokens"] == 250
    assert server.http.get(f"/v1/stream/{id}").json()["chunks"] == 2
    answer = sent(server, id, type="update", prompt=ids, final=True).raise_for_status().json()
    (choice,) = answer["choices"]
    assert (choice["token_ids"], choice["text"]) == completion(server, ids)
    assert (answer["id"], answer["object"], answer["model"]) == (id, "text_completion", MODEL)
    assert (choice["finish_reason"], choice["index"], choice["logprobs"]) == ("length", 0, None)
    assert answer["usage"] == {"prompt_tokens": 700, "completion_tokens": 6, "total_tokens": 706}
    metrics = answer["stream_metrics"]
    assert metrics["stream"] == id and metrics["chunks"] == 3 and metrics["invalidated_tokens"] > 0
    assert metrics["events"][0][0] == "opened"
    assert server.http.get(f"/v1/stream/{id}").json()["status"] == "finished"


def test_text_in_one_message(server):
    ids = prompt(50, seed=1)
    answer = server.http.post("/v1/stream", json={"prompt": text(ids), "final": True} | GREEDY)
    (choice,) = answer.raise_for_status().json()["choices"]
    assert (choice["token_ids"], choice["text"]) == completion(server, text(ids))


def test_sixteen_tokens_unless_said_otherwise_as_for_completions(server):
    body = {"prompt": [5, 6, 7], "final": True, "ignore_eos": True}
    assert server.http.post("/v1/stream", json=body).json()["usage"]["completion_tokens"] == 16


def test_server_sent_events(server):
    ids = prompt(100, seed=2)
    id = opened(server, prompt=ids[:50])
    message = {"prompt": ids[50:], "final": True, "stream": True}
    with server.http.stream("POST", f"/v1/stream/{id}", json=message) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = [line for line in answer.iter_lines() if line]
    assert all(line.startswith("data: ") for line in lines)
    *pieces, done = [line.removeprefix("data: ") for line in lines]
    assert done == "[DONE]"
    pieces = [json.loads(piece) for piece in pieces]
    choices = [piece["choices"][0] for piece in pieces]
    tokens = [token for choice in choices for token in choice["token_ids"]]
    assert (tokens, "".join(choice["text"] for choice in choices)) == completion(server, ids)
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["length"]
    assert pieces[-1]["usage"]["total_tokens"] == 106 and pieces[-1]["stream_metrics"]["chunks"] == 2


def test_server_sent_events_come_while_there_are_tokens_to_come(server):
    message = {"prompt": [5, 6, 7], "max_tokens": 500, "ignore_eos": True, "final": True, "stream": True}
    with server.http.stream("POST", "/v1/stream", json=message) as answer:
        pieces = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: {")]
    assert len(pieces) > 1
    assert ["usage" in piece for piece in pieces] == [False] * (len(pieces) - 1) + [True]


BAD_FIRST = {
    "no JSON": ("{", "is not JSON"),
    "not an object": ("[1]", "is not an object"),
    "deep": ("[" * 100_000, "is not JSON"),
    "no prompt": ({}, "key prompt: is missing"),
    "empty": ({"prompt": []}, "the first chunk is empty"),
    "empty text": ({"prompt": ""}, "the first chunk is empty"),
    "unknown key": ({"prompt": [5], "max_token": 3}, "did you mean 'max_tokens'?"),
    "unknown mode": ({"prompt": [5], "type": "apend"}, "did you mean 'append'?"),
    "final": ({"prompt": [5], "final": 1}, "give true or false"),
    "stream": ({"prompt": [5], "stream": True}, "set it together with final"),
    "prompt of another type": ({"prompt": {"a": 1}}, "neither text nor token ids"),
    "id out of range": ({"prompt": [5, 1024]}, "token id 1024 is out of vocabulary"),
    "huge id": ({"prompt": [10**30]}, "out of vocabulary"),
    "negative id": ({"prompt": [-1]}, "is no token id"),
    "n": ({"prompt": [5], "n": 2}, "is not served for streams"),
    "temperature": ({"prompt": [5], "temperature": "hot"}, "give a number"),
    "temperature below 0": ({"prompt": [5], "temperature": -1}, "temperature"),
    "max_tokens": ({"prompt": [5], "max_tokens": 0}, "max_tokens"),
    "seed": ({"prompt": [5], "seed": 2**70}, "seed"),
    "half a character": ('{"prompt": "w5 \\ud800"}', "half a character"),
    "half a character as a key": ('{"prompt": [5], "\\ud800": 1}', "key \\ud800: is unknown"),
    "NaN": ('{"prompt": [5], "temperature": NaN}', "is not JSON: NaN"),
    "a key twice": ('{"prompt": [5], "prompt": [6]}', "key prompt: is there twice"),
    "bias outside the vocabulary": ({"prompt": [5], "logit_bias": {"1024": 1}}, "out-of-vocab"),
    "a stop token outside": ({"prompt": [5], "stop_token_ids": [4000], "min_tokens": 1}, "out-of-vocab"),
    "too long for the model": ({"prompt": text([5] * 2100)}, "length"),
}


@pytest.mark.parametrize("what", BAD_FIRST)
def test_a_bad_first_message_is_told(server, what):
    body, told = BAD_FIRST[what]
    content = body if isinstance(body, str) else json.dumps(body)
    assert told in error_of(server.http.post("/v1/stream", content=content), 400, "BadRequestError")


def test_another_model_and_an_unknown_stream(server):
    body = {"prompt": [5], "model": "tinny"}
    assert "did you mean 'tiny'?" in error_of(server.http.post("/v1/stream", json=body), 404, "NotFoundError")
    for answer in (sent(server, "nobody", prompt=[5]), server.http.get("/v1/stream/nobody")):
        assert "there is no 'nobody'" in error_of(answer, 404, "NotFoundError")


BAD_LATER = {
    "sampling": ({"prompt": [5], "max_tokens": 3}, "comes after the first message"),
    "model": ({"prompt": [5], "model": MODEL}, "comes after the first message"),
    "no prompt": ({"final": False}, "key prompt: is missing"),
    "unknown key": ({"prompt": [5], "finale": True}, "did you mean 'final'?"),
    "id out of range": ({"prompt": [5, 4000], "final": True}, "token id 4000 is out of vocabulary"),
    "empty update": ({"prompt": [], "type": "update"}, "an update to an empty prompt"),
    "too long in all": ({"prompt": [5] * 1400, "final": True}, "the prompt would be 2700 tokens long"),
}


def test_a_bad_later_message_leaves_the_stream_as_it_was(server):
    ids = prompt(1300, seed=3)
    id = opened(server, prompt=ids)
    for body, told in BAD_LATER.values():
        assert told in error_of(sent(server, id, **body), 400, "BadRequestError")
    answer = sent(server, id, prompt=[8], final=True).json()
    assert answer["choices"][0]["token_ids"] == completion(server, [*ids, 8])[0]
    assert answer["stream_metrics"]["chunks"] == 2


def test_nothing_may_follow_the_final_message(server):
    id = opened(server)
    assert sent(server, id, final=True).status_code == 200
    for body in ({"prompt": [5]}, {"prompt": [5], "type": "update"}, {"final": True}):
        assert "has finished" in error_of(sent(server, id, **body), 409, "ConflictError")


def test_over_long_messages(server):
    long = server.http.post("/v1/stream", content=b" " * 200_001)
    assert "longer than 200000 bytes" in error_of(long, 413, "RequestTooLargeError")
    many = server.http.post("/v1/stream", json={"prompt": [5] * 1501})
    assert "a chunk of 1501 tokens; send at most 1500" in error_of(many, 413, "RequestTooLargeError")
    text_of_many = server.http.post("/v1/stream", json={"prompt": text([5] * 1501)})
    assert "a chunk of 1502 tokens" in error_of(text_of_many, 413, "RequestTooLargeError")


def test_nobody_gets_into_the_scheduler_past_the_endpoint(server):
    for xargs in ({"headrace": "x"}, {"headrace": ["configure"]}, {"headrace": 3}):
        body = {"prompt": [5], "max_tokens": 1, "vllm_xargs": xargs}
        assert server.http.post("/v1/completions", json=body).status_code == 500


def test_a_body_without_an_end_is_cut_off(server):
    def endless():
        while True:
            yield b" " * 10_000

    with contextlib.suppress(httpx.WriteError, httpx.RemoteProtocolError, httpx.ReadError):
        answer = server.http.post("/v1/stream", content=endless())
        assert answer.status_code == 413


def test_a_body_that_does_not_come_is_waited_for_no_longer_than_a_silent_client(server):
    host, port = server.url.removeprefix("http://").split(":")
    head = f"POST /v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer right-key\r\n"
    with contextlib.ExitStack() as connections:
        slow = [
            connections.enter_context(socket.create_connection((host, int(port)), timeout=20))
            for _ in range(8)
        ]
        for connection in slow:
            connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        time.sleep(1)  # asked any sooner, a stream might have the place of one of these
        assert server.http.post("/v1/stream", json={"prompt": [5]}).status_code == 429
        for connection in slow:
            answer = connection.makefile("rb").read()  # to the end: the server closes the connection
            assert b" 408 " in answer.splitlines()[0] and b"is not whole after 3 s" in answer
    assert server.http.delete(f"/v1/stream/{opened(server)}").status_code == 200


def test_two_final_messages_at_once(server):
    id = opened(server, max_tokens=400)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: sent(server, id, final=True), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


@pytest.mark.parametrize("message", [{"prompt": [5]}, {"prompt": [5], "type": "update"}])
def test_a_chunk_while_it_generates_is_refused_and_the_answer_comes(server, message):
    id = opened(server, max_tokens=1500)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(sent, server, id, final=True)
        assert within(10, lambda: server.http.get(f"/v1/stream/{id}").json()["status"] == "generating")
        assert "its prompt is closed" in error_of(sent(server, id, **message), 409, "ConflictError")
        assert answer.result().json()["usage"]["completion_tokens"] == 1500


def test_delete_while_it_generates_ends_the_answer(server):
    before = aborted(server)
    id = opened(server, max_tokens=1900)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(sent, server, id, final=True)
        assert within(10, lambda: server.http.get(f"/v1/stream/{id}").json()["status"] == "generating")
        assert server.http.delete(f"/v1/stream/{id}").json()["status"] == "failed"
        assert "was aborted" in error_of(answer.result(), 409, "ConflictError")
    assert within(10, lambda: aborted(server) == before + 1)


def test_chunks_sent_at_once_are_all_taken(server):
    id = opened(server)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda i: sent(server, id, prompt=[10 + i] * 40), range(6)))
    assert [answer.status_code for answer in answers] == [200] * 6
    assert sent(server, id, final=True).json()["usage"]["prompt_tokens"] == 243


def test_abort(server):
    id = opened(server)
    answer = server.http.delete(f"/v1/stream/{id}").json()
    assert answer["status"] == "failed" and "was aborted" in answer["error"]["message"]
    assert server.http.delete(f"/v1/stream/{id}").json() == answer
    assert "was aborted" in error_of(sent(server, id, prompt=[5]), 409, "ConflictError")
    error_of(server.http.delete("/v1/stream/nobody"), 404, "NotFoundError")


def test_too_many_streams_and_silent_clients(server):
    ids = [opened(server) for _ in range(8)]
    full = server.http.post("/v1/stream", json={"prompt": [5]})
    assert "8 are open on this server" in error_of(full, 429, "RateLimitError")
    kept = ids.pop()
    until = time.monotonic() + 4.0  # the limit is 3 s
    while time.monotonic() < until:
        assert sent(server, kept, prompt=[5]).status_code == 200
        time.sleep(0.3)
    for id in ids:
        assert "no message for 3 s" in error_of(sent(server, id, prompt=[5]), 408, "TimeoutError")
    assert sent(server, kept, final=True).status_code == 200
    for id in [opened(server) for _ in range(8)]:  # their slots are free
        server.http.delete(f"/v1/stream/{id}")


def counted(server, name):
    """The sum of a counter or gauge of /metrics."""
    lines = server.http.get("/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name + "{"))


def running(server):
    """Requests that the engine has."""
    return counted(server, "vllm:num_requests_running") + counted(server, "vllm:num_requests_waiting")


def aborted(server):
    """Streams that the engine has ended because their clients were gone."""
    assert server.serves()  # counts travel with the engine's steps
    return counted(server, "headrace:streams_aborted_total")


def within(seconds, true):
    """Whether it becomes true in so much time."""
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
    return true()


@pytest.mark.parametrize("how", [{}, {"stream": True}])
def test_a_client_that_vanishes_while_it_waits_for_the_answer(server, how):
    before = aborted(server)
    message = json.dumps({"prompt": [5] * 100, "final": True, "max_tokens": 1900, "ignore_eos": True} | how)
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = f"POST /v1/stream HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer right-key\r\n"
        connection.sendall(f"{head}Content-Length: {len(message)}\r\n\r\n{message}".encode())
        assert within(20, lambda: running(server))
    assert within(20, lambda: aborted(server) == before + 1)
    assert not running(server)


def test_metrics_count_the_streams(server):
    names = ("streams_opened_total", "streams_closed_total", "streams_aborted_total", "chunks_total")

    def counts():
        assert server.serves()
        return [counted(server, f"headrace:{name}") for name in names]

    before = counts()
    id = opened(server)
    sent(server, id, prompt=[8], type="update")
    sent(server, id, final=True)
    assert within(10, lambda: [now - old for now, old in zip(counts(), before, strict=True)] == [1, 1, 0, 2])
