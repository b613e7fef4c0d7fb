"""The Python client over a real engine."""

import asyncio
import random

import pytest
from api_server import MAX_MODEL_LEN
from vllm import SamplingParams
from vllm.engine.protocol import StreamingInput
from vllm.sampling_params import RequestOutputKind
from words import text

from headrace.errors import HeadraceError
from headrace.streams import StreamError
from headrace.vllm.client import Client

GREEDY = SamplingParams(max_tokens=6, temperature=0.0, ignore_eos=True)


def prompt(tokens, seed=0):
    """Random token ids."""
    draw = random.Random(seed)
    return [draw.randrange(3, 1024) for _ in range(tokens)]


def reference(run, llm, ids, params=GREEDY):
    """(token ids, text) of the same prompt as a plain request."""

    async def ask():
        async for output in llm.generate({"prompt_token_ids": ids}, params, f"plain-{random.random()}"):
            last = output
        return list(last.outputs[0].token_ids), last.outputs[0].text

    return run(ask())


def test_tokens_come_one_by_one_and_are_those_of_the_whole_prompt(run, llm):
    ids = prompt(700)

    async def stream():
        tokens = []
        async with Client(llm).stream(GREEDY) as stream:
            await stream.append(ids[:300])
            await asyncio.sleep(0.2)
            await stream.update(ids[:200] + [7] * 50)
            await asyncio.sleep(0.2)
            await stream.update(ids[:650])
            async for token in stream.finish(ids[650:]):
                tokens.append(token)
        return tokens, stream

    tokens, stream = run(stream())
    assert ([token.id for token in tokens], "".join(token.text for token in tokens)) == reference(
        run, llm, ids
    )
    report = stream.report
    assert report["error"] is None and report["chunks"] == 4 and report["stream"] == stream.id
    assert (report["prompt_tokens"], report["output_tokens"]) == (700, 6)
    assert report["invalidated_tokens"] == 99 + 49  # the last token of an open stream is not computed
    assert stream.finish_reason == "length"


def test_text_is_tokenised_with_special_tokens_at_its_start_only(run, llm):
    ids = prompt(60, seed=1)

    async def stream():
        async with Client(llm).stream(GREEDY) as stream:
            await stream.append(text(ids[:20]))
            await stream.append("")
            await stream.append("   ")
            await stream.append(text(ids[20:40]))
            appended = await stream.complete(text(ids[40:]))
        async with Client(llm).stream(GREEDY) as stream:
            await stream.update(text([9, 9, 9]))
            updated = await stream.complete(text(ids), mode="update")
        return appended, updated

    appended, updated = run(stream())
    expected = reference(run, llm, [1, *ids])
    assert (appended.token_ids, appended.text) == expected
    assert (updated.token_ids, updated.text) == expected
    assert appended.report["prompt_tokens"] == updated.report["prompt_tokens"] == 61
    assert appended.report["chunks"] == 3


def test_closing_without_tokens_and_a_prompt_in_one_piece(run, llm):
    ids = prompt(64, seed=2)  # whole blocks: the held token is the only one that is left

    async def stream():
        async with Client(llm).stream(GREEDY) as stream:
            await stream.append(ids)
            await asyncio.sleep(0.3)
            empty = await stream.complete()
        async with Client(llm).stream(GREEDY) as stream:
            whole = await stream.complete(ids)
        return empty, whole

    empty, whole = run(stream())
    assert empty.token_ids == whole.token_ids == reference(run, llm, ids)[0]


def test_many_streams_at_once(run, llm):
    prompts = [prompt(50 + 37 * i, seed=10 + i) for i in range(12)]

    async def one(ids):
        async with Client(llm).stream(GREEDY) as stream:
            for start in range(0, len(ids), 60):
                await stream.append(ids[start : start + 60])
                await asyncio.sleep(0.01)
            return (await stream.complete()).token_ids

    async def together():
        return await asyncio.gather(*map(one, prompts))

    answers = run(together())
    assert answers == [reference(run, llm, ids)[0] for ids in prompts]


def test_calls_from_several_tasks_are_taken_one_after_the_other(run, llm):
    ids = prompt(300, seed=3)

    async def stream():
        async with Client(llm).stream(GREEDY) as stream:
            await asyncio.gather(*(stream.append(ids[i : i + 30]) for i in range(0, 300, 30)))
            return await stream.complete()

    answer = run(stream())
    assert answer.report["chunks"] == 11
    assert answer.token_ids == reference(run, llm, ids)[0]


def test_a_stop_string_ends_it_and_the_report_is_there(run, llm):
    ids = prompt(100, seed=4)
    words = reference(run, llm, ids)[1].split()
    params = SamplingParams(max_tokens=6, temperature=0.0, ignore_eos=True, stop=[words[2]])

    async def stream():
        async with Client(llm).stream(params) as stream:
            await stream.append(ids[:50])
            return await stream.complete(ids[50:])

    answer = run(stream())
    assert answer.text.split() == words[: words.index(words[2])]
    assert (answer.finish_reason, answer.stop_reason) == ("stop", words[2])
    report = answer.report
    assert (report["prompt_tokens"], report["chunks"], report["status"]) == (100, 2, 200)
    assert report["output_tokens"] >= len(answer.token_ids) and report["computed_tokens"] > 0
    assert [name for name, *_ in report["events"]][-1] == "first_token"


def test_vllms_own_streaming_input_is_refused_and_ends(run, llm):
    async def chunks():
        for ids in (prompt(40), prompt(50)):
            yield StreamingInput(prompt={"prompt_token_ids": ids})
            await asyncio.sleep(0.1)

    async def ask():
        params = SamplingParams(max_tokens=6, output_kind=RequestOutputKind.DELTA)
        async with asyncio.timeout(20):
            return [output async for output in llm.generate(chunks(), params, "session")]

    outputs = run(ask())
    assert outputs[-1].outputs[0].finish_reason == "error"
    assert not any(output.outputs[0].token_ids for output in outputs)
    assert "/v1/stream" in outputs[-1].kv_transfer_params["headrace"]["error"]


async def refused(call):
    with pytest.raises(StreamError) as caught:
        await call
    assert "\n" not in str(caught.value)
    return caught.value


BAD_CHUNKS = {
    "empty first chunk": ([], "the first chunk is empty", 400),
    "empty text": ("", "the first chunk is empty", 400),
    "id out of range": ([5, 1024], "token id 1024 is out of vocabulary; the model has 0..1023", 400),
    "negative id": ([5, -1], "-1 at position 1 is no token id", 400),
    "no id": ([5, "w7"], "'w7' at position 1 is no token id", 400),
    "truth value": ([True], "True at position 0 is no token id", 400),
    "number": (7, "neither text nor token ids", 400),
    "bytes": (b"w7", "neither text nor token ids", 400),
    "too long": ([5] * MAX_MODEL_LEN, f"would be {MAX_MODEL_LEN} tokens long", 400),
    "text too long": (text([5] * MAX_MODEL_LEN), "length", 400),
}


@pytest.mark.parametrize("what", BAD_CHUNKS)
def test_a_refused_chunk_leaves_the_stream_as_it_was(run, llm, what):
    chunk, told, status = BAD_CHUNKS[what]
    ids = prompt(40, seed=5)

    async def stream():
        async with Client(llm).stream(GREEDY) as stream:
            error = await refused(stream.append(chunk))
            await stream.append(ids[:20])
            if chunk not in ([], ""):
                again = await refused(stream.append(chunk))
                last = await refused(stream.complete(chunk))
                assert (again.status, last.status) == (status, status)
            return error, await stream.complete(ids[20:])

    error, answer = run(stream())
    assert told in str(error) and error.status == status
    assert answer.token_ids == reference(run, llm, ids)[0]
    assert answer.report["chunks"] == 2


def test_chunks_that_add_up_to_more_than_the_model_takes(run, llm):
    async def stream():
        async with Client(llm).stream(GREEDY) as stream:
            await stream.append([5] * 1500)
            error = await refused(stream.append([5] * 600))
            await stream.update([6] * 30)
            return error, await stream.complete()

    error, answer = run(stream())
    assert f"the prompt would be 2100 tokens long; the model takes {MAX_MODEL_LEN}" in str(error)
    assert answer.token_ids == reference(run, llm, [6] * 30)[0]


def test_nothing_may_follow_finish(run, llm):
    async def stream():
        async with Client(llm).stream(GREEDY) as stream:
            await stream.append([5, 6, 7])
            tokens = stream.finish()
            errors = [await refused(stream.append([8])), await refused(stream.update([8]))]
            with pytest.raises(StreamError) as caught:
                stream.finish()
            errors.append(caught.value)
            async for _ in tokens:
                pass
            errors += [await refused(stream.append([8])), await refused(stream.close())]
            return errors

    errors = run(stream())
    assert [error.status for error in errors] == [409] * 5
    assert "its prompt is closed" in str(errors[0]) and "has finished" in str(errors[-1])


def test_an_unknown_mode_and_an_empty_update(run, llm):
    async def stream():
        async with Client(llm).stream(GREEDY) as stream:
            await stream.append([5, 6, 7])
            mode = await refused(stream.complete([8], mode="appendd"))
            empty = await refused(stream.update([]))
            await stream.complete()
            return mode, empty

    mode, empty = run(stream())
    assert "did you mean 'append'?" in str(mode)
    assert "an update to an empty prompt" in str(empty)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"n": 2, "temperature": 1.0}, "n: is 2; a stream has one answer"),
        ({"prompt_logprobs": 1}, "prompt_logprobs"),
        ({"extra_args": {"headrace": {"stream": "x"}}}, "the plugin's own"),
    ],
)
def test_parameters_that_a_stream_cant_have(llm, options, told):
    with pytest.raises(StreamError, match=told):
        Client(llm).stream(SamplingParams(**options))


def test_a_request_that_cant_be_sent_leaves_nothing_in_the_front_end(run, llm):
    async def stream():
        async with Client(llm).stream(SamplingParams(max_tokens=2**70)) as stream:
            return await refused(stream.append([5])), unfinished(llm)

    error, left = run(stream())
    assert error.status == 400 and left == 0


def unfinished(llm):
    return llm.output_processor.get_num_unfinished_requests()


async def emptied(llm):
    """Until nothing is left in the engine and every KV block is free."""
    for _ in range(100):
        if await llm.reset_prefix_cache():
            return True
        await asyncio.sleep(0.05)
    return False


def test_leaving_early_aborts_the_request(run, llm):
    long = SamplingParams(max_tokens=1000, temperature=0.0, ignore_eos=True)

    async def leave():
        async with Client(llm).stream(long) as stream:
            await stream.append([5] * 500)
        async with Client(llm).stream(long) as stream:
            async for _ in stream.finish([5] * 500):
                break
        with pytest.raises(ZeroDivisionError):
            async with Client(llm).stream(long) as stream:
                await stream.append([5] * 500)
                raise ZeroDivisionError
        async with Client(llm).stream(long):
            pass
        assert unfinished(llm) == 0
        return await emptied(llm), stream

    free, stream = run(leave())
    assert free
    assert "was aborted" in stream.report["error"] and stream.report["prompt_tokens"] == 500


def test_a_cancelled_task_leaves_nothing_behind_wherever_it_was(run, llm):
    long = SamplingParams(max_tokens=1000, temperature=0.0, ignore_eos=True)

    async def client():
        async with Client(llm).stream(long) as stream:
            for page in range(5):
                await stream.append(text([5 + page] * 100))
            await stream.complete()

    async def cancel_at(seconds):
        task = asyncio.create_task(client())
        await asyncio.sleep(seconds)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    async def all_of_them():
        for step in range(20):
            await cancel_at(step * 0.0005)
        for step in range(5):
            await cancel_at(step * 0.05)
        assert unfinished(llm) == 0
        return await emptied(llm)

    assert run(all_of_them())


def test_a_token_that_does_not_come_in_time(run, llm):
    async def stream():
        async with Client(llm, timeout_s=1e-6).stream(GREEDY) as stream:
            await stream.append([5] * 1000)
            error = await refused(stream.complete())
            return error, await refused(stream.append([5])), stream

    error, after, stream = run(stream())
    assert error.status == after.status == 504 and "no token for 1e-06 s" in str(error)
    assert "no token" in stream.report["error"]
    with pytest.raises(StreamError, match="timeout_s"):
        Client(llm).stream(GREEDY, timeout_s=0.0)


def test_an_engine_that_ends_a_stream_is_heard_before_the_next_chunk(run, llm):
    async def stream():
        async with Client(llm).stream(GREEDY) as stream:
            await stream.append([5, 6, 7])
            await llm.abort(stream.id)
            await stream.wait()
            return await refused(stream.append([8])), await refused(stream.close())

    first, second = run(stream())
    assert first.status == second.status == 503 and "the engine ended it" in str(first)


def test_an_engine_without_the_plugin_is_refused():
    from types import SimpleNamespace

    from vllm.v1.core.sched.scheduler import Scheduler

    config = SimpleNamespace(scheduler_config=SimpleNamespace(get_scheduler_cls=lambda: Scheduler))
    with pytest.raises(HeadraceError, match=r"--scheduler-cls headrace\.vllm\.scheduler\.StreamScheduler"):
        Client(SimpleNamespace(vllm_config=config))


def test_an_engine_that_dies(run, llm):
    """The last test of this engine."""
    endless = SamplingParams(max_tokens=1900, temperature=0.0, ignore_eos=True)

    async def streams():
        async with Client(llm).stream(endless) as silent, Client(llm).stream(endless) as waiting:
            await silent.append([5] * 300)
            await waiting.append([5] * 100)
            tokens = waiting.finish()
            await anext(tokens)
            for process in llm.engine_core.resources.engine_manager.processes:
                process.kill()
            await silent.wait()
            errors = [await refused(silent.append([6])), await refused(drain(tokens))]
        async with Client(llm).stream(endless) as late:
            return [*errors, await refused(late.append([5]))]

    async def drain(tokens):
        async for _ in tokens:
            pass

    assert [error.status for error in run(streams())] == [503] * 3
