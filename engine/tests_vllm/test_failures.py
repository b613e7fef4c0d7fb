"""Whatever a client does, or however short room is: a clear line for that client, and the engine lives."""

import pytest
from drive import answers
from engine import MAX_MODEL_LEN, sampling
from model import VOCABULARY
from vllm.v1.engine import EngineCoreRequest

from headrace.errors import HeadraceError
from headrace.scheduling import Limits
from headrace.vllm.chunk import KEY, Chunk
from headrace.vllm.private import check_version
from headrace.vllm.scheduler import AsyncStreamScheduler, StreamScheduler
from headrace.vllm.workerless import workerless

PLAN = {"policy": "fcfs", "eviction": "recompute"}
LIMITS = Limits(token_budget=64, slots=4, blocks=8, host_blocks=0, block_size=16)


def tokens(seed, count):
    """A prompt; seeds are odd."""
    return [1 + (place * 7919 + place * place * seed) % (VOCABULARY - 1) for place in range(count)]


OTHER = tokens(1, 60)


@pytest.fixture(scope="module")
def answer_of(engine):
    """(prompt) -> its greedy token; tests ask for it before they configure."""
    return lambda *prompts: answers(engine, prompts, [1] * len(prompts))[0]


@pytest.fixture(scope="module")
def others_answer(answer_of):
    (answer,) = answer_of(OTHER)
    return answer


@pytest.fixture
def streams(engine, others_answer):
    """The engine with 79 blocks; afterwards it must serve another client, and hold nothing."""
    engine.configure(PLAN, blocks=79)
    yield engine
    engine.add("next", OTHER, sampling())
    engine.run()
    assert engine.tokens["next"] == others_answer
    assert engine.leaked_blocks() == 0


def steps(engine, count):
    for _ in range(count):
        engine.step()


def refused(engine, request_id, *words):
    """The request ended as an error whose line has these words."""
    engine.run()
    assert engine.finished[request_id] == "error"
    assert engine.tokens[request_id] == []
    error = engine.reports[request_id]["error"]
    assert "\n" not in error
    for word in words:
        assert word in error
    return True


# ---- too little room ----


def test_two_streams_that_outgrow_the_pool_and_a_plain_request(engine, answer_of):
    a, b, c = tokens(3, 2000), tokens(5, 2000), tokens(7, 200)
    expected = answer_of(a, b, c)
    engine.configure(PLAN, blocks=79)
    for name, prompt in (("a", a), ("b", b)):
        engine.open(name, prompt[:1000])
    steps(engine, 10)
    for name, prompt in (("a", a), ("b", b)):
        engine.send(name, 1, prompt[1000:])
    engine.add("c", c, sampling())
    steps(engine, 20)
    assert engine.tokens["c"] == expected[2]
    for name in "ab":
        engine.send(name, 2, [], final=True)
    engine.run()
    assert [engine.tokens[name] for name in "abc"] == expected
    assert engine.scheduler.counts.preemptions_recompute > 0
    assert engine.leaked_blocks() == 0


def test_an_idle_stream_makes_room_for_a_plain_request(engine, answer_of):
    idle, plain = tokens(9, 1900), tokens(11, 1500)
    expected = answer_of(idle + tokens(13, 20), plain)
    engine.configure(PLAN, blocks=79)
    engine.open("idle", idle)
    steps(engine, 10)
    assert not engine.scheduler.has_unfinished_requests()  # the engine sleeps
    engine.add("plain", plain, sampling())
    steps(engine, 5)
    assert engine.tokens["plain"] == expected[1]
    engine.send("idle", 1, tokens(13, 20), final=True)
    engine.run()
    assert engine.tokens["idle"] == expected[0]
    assert engine.reports["idle"]["preemptions_recompute"] == 1
    assert engine.leaked_blocks() == 0


def test_a_host_pool_too_small_means_recompute(engine, answer_of):
    first, second = tokens(15, 1800), tokens(17, 1800)
    expected = answer_of(first, second)
    engine.configure(PLAN | {"eviction": "swap"}, blocks=79, host_blocks=10)
    engine.open("first", first)
    steps(engine, 6)
    engine.add("second", second, sampling())
    steps(engine, 6)
    engine.send("first", 1, [], final=True)
    engine.run()
    assert [engine.tokens["first"], engine.tokens["second"]] == expected
    assert engine.reports["first"]["preemptions_recompute"] == 1
    assert engine.reports["first"]["preemptions_swap"] == 0
    assert engine.leaked_blocks() == 0


def test_a_stream_longer_than_the_model_takes(streams):
    streams.open("long", tokens(3, 900))
    streams.open("short", OTHER)
    for index in (1, 2):
        streams.send("long", index, tokens(5, 900))
        steps(streams, 4)
    assert refused(streams, "long", "2700 prompt tokens", str(MAX_MODEL_LEN - 1))
    streams.send("short", 1, [], final=True)
    streams.run()
    assert streams.finished["short"] == "length"


def test_a_prompt_that_can_never_fit_the_pool(engine):
    engine.configure(PLAN, blocks=20)
    engine.add("large", tokens(3, 700), sampling())
    assert refused(engine, "large", "700 prompt", "640 at most")
    assert engine.leaked_blocks() == 0


# ---- clients that stop ----


@pytest.mark.parametrize("eviction", ["recompute", "swap"])
@pytest.mark.parametrize("after", [0, 2, 12])
def test_a_client_that_vanishes_leaves_nothing(engine, eviction, after):
    """Before its first step, while it is computed, and after it was preempted for another."""
    engine.configure(PLAN | {"eviction": eviction}, blocks=79)
    engine.open("gone", tokens(3, 1900))
    steps(engine, min(after, 6))
    if after > 6:
        engine.add("other", tokens(5, 1500), sampling())
        steps(engine, after - 6)
        assert engine.scheduler.served["gone"].host_blocks == (60 if eviction == "swap" else 0)
    engine.abort("gone")
    assert "gone" not in engine.scheduler.streams
    engine.run()
    assert engine.scheduler.counts.streams_aborted == 1
    assert engine.leaked_blocks() == 0


def test_a_stream_that_is_never_closed_times_out(streams):
    streams.configure(PLAN | {"stream_timeout_s": 60.0}, blocks=79)
    streams.open("idle", tokens(3, 500))
    streams.open("alive", tokens(5, 500))
    steps(streams, 5)
    streams.now_s += 50
    streams.send("alive", 1, tokens(7, 10))
    steps(streams, 2)
    streams.now_s += 20
    streams.add("other", OTHER, sampling())
    assert refused(streams, "idle", "no chunk for 60 s")
    assert streams.scheduler.counts.streams_timed_out == 1
    streams.send("alive", 2, [], final=True)
    streams.run()
    assert streams.finished["alive"] == "length"


# ---- chunks that make no sense ----


def test_too_many_streams(streams):
    streams.configure(PLAN | {"max_streams": 2}, blocks=79)
    for name in "abc":
        streams.open(name, OTHER)
    assert refused(streams, "c", "2 streams are open", "max_streams")
    for name in "ab":
        streams.send(name, 1, [], final=True)
    streams.run()
    assert streams.finished["a"] == streams.finished["b"] == "length"


@pytest.mark.parametrize("mode", ["append", "update"])
@pytest.mark.parametrize("final", [False, True], ids=["more", "final twice"])
@pytest.mark.parametrize("while_", ["it is served", "it has finished"])
def test_a_chunk_after_the_close_changes_nothing(streams, others_answer, mode, final, while_):
    streams.open("closed", OTHER[:40])
    steps(streams, 2)
    streams.send("closed", 1, OTHER[40:], final=True)
    if while_ == "it has finished":
        streams.run()
    streams.send("closed", 2, tokens(3, 30), mode, final)
    streams.run()
    assert streams.tokens["closed"] == others_answer
    assert "closed#2" not in streams.finished and not streams.scheduler.requests


def test_a_chunk_for_a_stream_nobody_opened(streams):
    streams.send("unknown", 1, OTHER)
    assert not streams.scheduler.requests and not streams.scheduler.has_requests()


def test_a_chunk_out_of_order(streams):
    streams.open("s", OTHER)
    streams.send("s", 2, OTHER)
    assert refused(streams, "s", "chunk 2 came after 0")


def test_a_second_stream_of_the_same_name(streams, others_answer):
    streams.open("s", OTHER)
    streams.add("again", OTHER, sampling(1, Chunk(stream="s")))
    assert refused(streams, "again", "an open stream 's' already")
    streams.send("s", 1, [], final=True)
    streams.run()
    assert streams.tokens["s"] == others_answer


def test_an_empty_first_chunk(streams):
    streams.open("empty", [])
    assert refused(streams, "empty", "the first chunk has no tokens")


def test_an_empty_later_chunk(streams):
    streams.open("s", OTHER)
    streams.add("s#1", [], sampling(1, Chunk(stream="s", index=1)))
    assert refused(streams, "s", "a chunk has no tokens")


@pytest.mark.parametrize("token", [VOCABULARY, -1, 10**9])
@pytest.mark.parametrize("later", [False, True], ids=["first", "later"])
def test_token_ids_out_of_range(streams, token, later):
    if later:
        streams.open("s", OTHER)
        steps(streams, 2)
        streams.send("s", 1, [5, token], "update")
    else:
        streams.open("s", [5, token])
    assert refused(streams, "s", f"no token {token}", f"0 to {VOCABULARY - 1}")


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"stream": "s", "mode": "updat"}, ("'updat' is no mode", "did you mean 'update'")),
        ({"stream": "s", "index": 0, "mode": "update"}, ("nothing to update",)),
        ({"stream": "s", "finale": True}, ("finale", "final")),
        ({"index": 0}, ("stream",)),
        ({"stream": 7}, ("stream",)),
        ({"stream": "s", "empty": True}, ("empty",)),
        ("s", ("headrace",)),
        ({"configure": {"policy": "lcas"}}, ("control",)),
    ],
    ids=str,
)
def test_keys_that_are_none(streams, keys, words):
    params = sampling()
    params.extra_args = {KEY: keys}
    streams.add("s", OTHER, params)
    assert refused(streams, "s", *words)


def test_sessions_of_vllms_own_streaming_input(streams):
    sent = EngineCoreRequest("s", OTHER, None, sampling(), None, 0.0, None, None, None, resumable=True)
    streams.core.add_request(*streams.core.preprocess_add_request(sent))
    assert refused(streams, "s", "vLLM's own streaming input", "/v1/stream")


# ---- at start-up ----


@pytest.mark.parametrize("version", ["0.31.2", "0.33.0", "1.0", "dev"])
def test_another_vllm(version):
    with pytest.raises(HeadraceError, match=r"pip install 'vllm==0\.32\.\*'"):
        check_version(version)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"policy": "lcaz"}, "did you mean 'lcas'"),
        ({"eviction": "swop"}, "did you mean 'swap'"),
        ({"eviction": "cost_victim"}, "costs"),
        ({"max_streams": 0}, "max_streams"),
        ({"stream_timeout_s": 0}, "stream_timeout_s"),
        ({"polisy": "lcas"}, "did you mean 'policy'"),
        ({"policy": "vllm_032"}, "vllm_032"),
        ({"token_budget": 65}, "max-num-batched-tokens 65"),
    ],
    ids=str,
)
def test_options_that_are_none(options, line):
    with pytest.raises(HeadraceError, match=line):
        workerless(StreamScheduler, LIMITS, {KEY: options})


def test_async_scheduling_needs_its_own_class():
    with pytest.raises(HeadraceError, match=r"--no-async-scheduling, or the class .*AsyncStreamScheduler"):
        workerless(StreamScheduler, LIMITS, {KEY: PLAN}, async_scheduling=True)
    assert workerless(AsyncStreamScheduler, LIMITS, {KEY: PLAN}, async_scheduling=True)
