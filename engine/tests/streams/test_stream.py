"""What all clients share, over an engine that is played by hand."""

import asyncio

import pytest

from headrace.streams import StreamError, Token
from headrace.streams.stream import REPORTED, Stream
from headrace.streams.token import Delta


class Played(Stream):
    """Chunks go into `sent`; `answers` gives the answer: deltas, None at its end, an exception to fail."""

    def __init__(self, timeout_s=None):
        super().__init__("played", timeout_s)
        self.sent, self.aborts, self.left = [], 0, 0
        self.answers = asyncio.Queue()
        self.refuse = None
        self.slow = None  # an event that opening and sending wait for

    async def bring(self, *chunk):
        if self.slow is not None:
            await self.slow.wait()
        if self.refuse is not None:
            raise self.refuse
        self.sent.append(chunk)
        self.chunks += 1

    async def _open(self, mode, prompt, final):
        await self.bring("open", mode, prompt, final)

    async def _send(self, mode, prompt, final):
        await self.bring("send", mode, prompt, final)

    async def _deltas(self):
        while (answer := await self.answers.get()) is not None:
            if isinstance(answer, Exception):
                raise answer
            yield answer

    async def _abort(self):
        self.aborts += 1

    async def _leave(self):
        self.left += 1


def play(scene, **options):
    async def run():
        async with asyncio.timeout(10):
            return await scene(Played(**options))

    return asyncio.run(run())


async def refused(call):
    with pytest.raises(StreamError) as caught:
        await call
    return caught.value


LAST = Delta((3,), "c", "stop", None, {"error": None})


def test_chunks_and_tokens():
    async def scene(stream):
        async with stream:
            await stream.append("a")
            await stream.update([1, 2])
            for delta in (Delta((1, 2), "ab"), Delta((), ""), LAST, None):
                stream.answers.put_nowait(delta)
            tokens = [token async for token in stream.finish("b")]
        return stream, tokens

    stream, tokens = play(scene)
    assert stream.sent == [
        ("open", "append", "a", False),
        ("send", "update", [1, 2], False),
        ("send", "append", "b", True),
    ]
    assert tokens == [Token(1, ""), Token(2, "ab"), Token(3, "c")]
    assert (stream.finish_reason, stream.report, stream.aborts, stream.left) == (
        "stop",
        {"error": None},
        0,
        1,
    )


def test_the_whole_answer_at_once():
    async def scene(stream):
        for delta in (Delta((1, 2), "ab"), Delta((), "-"), LAST, None):
            stream.answers.put_nowait(delta)
        async with stream:
            return await stream.complete("a")

    answer = play(scene)
    assert (answer.text, answer.token_ids, answer.finish_reason) == ("ab-c", [1, 2, 3], "stop")


def test_text_that_was_held_back_has_no_token():
    assert Delta((), "x").tokens() == [Token(None, "x")]
    assert Delta().tokens() == []


def test_empty_chunks():
    async def scene(stream):
        async with stream:
            for empty in ("", []):
                assert "the first chunk is empty" in str(await refused(stream.append(empty)))
                assert "the first chunk is empty" in str(await refused(stream.update(empty)))
            assert "the first chunk is empty" in str(await refused(stream.close()))
            await stream.append([1])
            await stream.append("")
            assert "an update to an empty prompt" in str(await refused(stream.update("")))
            assert "an update to an empty prompt" in str(await refused(stream.close("", mode="update")))
            await stream.close()
        return stream

    stream = play(scene)
    assert stream.sent == [("open", "append", [1], False), ("send", "append", [], True)]
    assert stream.aborts == 1  # it had no answer yet


def test_finish_fails_at_once_when_it_was_called_before():
    async def scene(stream):
        async with stream:
            await stream.append("a")
            stream.finish()  # never iterated: nothing is sent, but it counts
            with pytest.raises(StreamError, match="finish came before"):
                stream.finish()
            return stream

    assert len(play(scene).sent) == 1


def test_a_refused_last_chunk_may_be_replaced():
    async def scene(stream):
        async with stream:
            await stream.append("a")
            stream.refuse = StreamError("x", "no", "yes")
            await refused(stream.complete("b"))
            assert not stream.closed
            stream.refuse = None
            stream.answers.put_nowait(LAST)
            stream.answers.put_nowait(None)
            return await stream.complete("c")

    assert play(scene).token_ids == [3]


@pytest.mark.parametrize(
    ("raised", "told", "status"),
    [(StreamError.told("too many", 429), "too many", 429), (KeyError("x"), "KeyError: 'x'", 500)],
)
def test_a_failure_ends_every_call(raised, told, status):
    async def scene(stream):
        async with stream:
            await stream.append("a")
            stream.answers.put_nowait(raised)
            await stream.wait()
            return stream, [await refused(stream.append("b")), await refused(stream.complete())]

    stream, errors = play(scene)
    assert [(told in str(error), error.status) for error in errors] == [(True, status)] * 2
    assert stream.report["error"] == str(errors[0]) and stream.finish_reason is None
    assert stream.aborts == 0  # nothing left to abort


def test_a_failure_while_tokens_are_awaited():
    async def scene(stream):
        async with stream:
            await stream.append("a")
            tokens = stream.finish()
            stream.answers.put_nowait(Delta((1,), "a"))
            assert await anext(tokens) == Token(1, "a")
            stream.answers.put_nowait(StreamError.told("the engine died", 503))
            return await refused(anext(tokens))

    assert play(scene).status == 503


def test_no_token_in_time():
    async def scene(stream):
        async with stream:
            await stream.append("a")
            errors = [await refused(stream.complete()), await refused(stream.append("b"))]
            assert stream.aborts == 1  # at once, not only when the block is left
            return errors

    for error in play(scene, timeout_s=0.01):
        assert error.status == 504 and "no token for 0.01 s" in str(error)


def test_abort_twice_and_without_a_chunk():
    async def scene(stream):
        async with stream:
            await stream.append("a")
            await stream.abort()
            await stream.abort()
            assert "was aborted" in str(await refused(stream.append("b")))
        async with Played() as unused:
            pass
        return stream.aborts, unused.aborts

    assert play(scene) == (1, 0)


def test_the_report_of_an_answer_that_the_engine_did_not_report():
    async def scene(stream):
        async with stream:
            assert stream.report is None
            stream.answers.put_nowait(Delta((1, 2), "ab", "stop", "b"))
            stream.answers.put_nowait(None)
            return await stream.complete("a")

    report = play(scene).report
    assert tuple(report) == REPORTED
    assert report["output_tokens"] == 2 and report["chunks"] == 1 and report["computed_tokens"] is None


def test_opening_that_is_cancelled_halfway_is_aborted():
    async def scene(stream):
        stream.slow = asyncio.Event()
        task = asyncio.create_task(stream.append("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert "cancelled while it opened" in str(await refused(stream.append("a")))
        return stream

    stream = play(scene)
    assert stream.aborts == 1 and stream.sent == []


def test_a_stream_that_is_aborted_while_it_opens_is_aborted_when_it_is_open():
    async def scene(stream):
        stream.slow = asyncio.Event()
        opening = asyncio.create_task(stream.append("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await stream.abort()
        stream.slow.set()
        await opening
        assert "was aborted" in str(await refused(stream.append("b")))
        return stream

    stream = play(scene)
    assert len(stream.sent) == 1 and stream.aborts == 2


def test_sending_that_is_cancelled_leaves_a_stream_that_can_go_on():
    async def scene(stream):
        async with stream:
            await stream.append("a")
            stream.slow = asyncio.Event()
            task = asyncio.create_task(stream.append("b"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            stream.slow.set()
            await stream.append("c")
            return stream

    assert [prompt for _, _, prompt, _ in play(scene).sent] == ["a", "c"]


@pytest.mark.parametrize("mode", ["apend", "", None, 3])
def test_an_unknown_mode(mode):
    async def scene(stream):
        async with stream:
            return await refused(stream.complete("a", mode=mode))

    assert "unknown" in str(play(scene))


@pytest.mark.parametrize(
    "prompt", [[1.5], [True], [-1], ["a"], [None], [[1]], "\ud800", b"a", {"a": 1}, 7, object()]
)
def test_prompts_that_are_none(prompt):
    async def scene(stream):
        async with stream:
            return await refused(stream.append(prompt))

    assert play(scene).status == 400


def test_arrays_are_lists_of_ids():
    import numpy

    async def scene(stream):
        async with stream:
            await stream.append(numpy.arange(3))
            await stream.append((5, 6))
        return stream

    assert [prompt for _, _, prompt, _ in play(scene).sent] == [[0, 1, 2], [5, 6]]


@pytest.mark.parametrize("timeout_s", [0, -1.0, float("nan")])
def test_a_time_that_is_none(timeout_s):
    with pytest.raises(StreamError, match="timeout_s"):
        Played(timeout_s)
