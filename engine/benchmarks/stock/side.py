"""One side of the comparison in a process of its own: stock vLLM, or vLLM with the plugin.

    python side.py stock|plugin <engine options as JSON>

Reads one question per line, {"name": a coroutine of QUESTIONS, ...its arguments}, and answers with one line
of JSON. Times are seconds of the client.
"""

import asyncio
import json
import os
import sys
import time
from itertools import count

os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
os.environ |= {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}

import numpy as np
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.engine.protocol import StreamingInput
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM

from headrace.vllm.client import Client

GIVE_UP_S = 15.0


class Side:
    """An engine, and how a prompt is streamed to it."""

    def __init__(self, plugin: bool, options: dict):
        extra = {"scheduler_cls": "headrace.vllm.scheduler.StreamScheduler"} if plugin else {}
        args = AsyncEngineArgs(
            skip_tokenizer_init=True,
            load_format="dummy",
            dtype="float32",
            enforce_eager=True,
            disable_log_stats=True,
            block_size=32,
            **extra,
            **options,
        )
        self.engine = AsyncLLM.from_engine_args(args)
        self.client = Client(self.engine) if plugin else None
        self.numbers = count()
        self.random = np.random.default_rng(0)

    def tokens(self, size: int) -> list[int]:
        return self.random.integers(1, 1000, size).tolist()

    async def plain(self, size: int, output_tokens: int = 1, after_s: float = 0.0) -> dict:
        """A prompt at once: seconds to its first and to its last token."""
        await asyncio.sleep(after_s)
        start, first_s = time.perf_counter(), None
        prompt = {"prompt_token_ids": self.tokens(size)}
        async for output in self.engine.generate(
            prompt, sampling(output_tokens), f"plain-{next(self.numbers)}"
        ):
            if first_s is None and output.outputs[0].token_ids:
                first_s = time.perf_counter() - start
        return {"first_s": first_s, "last_s": time.perf_counter() - start}

    async def stream(self, sizes: list[int], gap_s: float, hold_s: float = 0.0) -> dict:
        """Chunks of these sizes, so far apart: seconds from the last one to the first token, the only one.

        hold_s: how long it stays open after its last chunk, for a stream that is to be in the way.
        """
        chunks = [self.tokens(size) for size in sizes]
        return await (self._stream if self.client else self._session)(chunks, gap_s, hold_s)

    async def _stream(self, chunks: list[list[int]], gap_s: float, hold_s: float) -> dict:
        first_s = None
        async with self.client.stream(sampling(1)) as stream:
            for chunk in chunks[:-1]:
                await stream.append(chunk)
                await asyncio.sleep(gap_s)
            if hold_s:
                await stream.append(chunks[-1])
                await asyncio.sleep(hold_s)
            start = time.perf_counter()
            async for _ in stream.finish(None if hold_s else chunks[-1]):
                first_s = first_s or time.perf_counter() - start
        return {"first_s": first_s, "last_s": time.perf_counter() - start}

    async def _session(self, chunks: list[list[int]], gap_s: float, hold_s: float) -> dict:
        """As stock takes it: a throw-away token for each chunk but the last."""
        start = last = None

        async def inputs():
            nonlocal start, last
            for place, chunk in enumerate(chunks):
                last = place == len(chunks) - 1
                start = time.perf_counter()
                yield StreamingInput(prompt={"prompt_token_ids": chunk}, sampling_params=sampling(1))
                await asyncio.sleep(hold_s if last else gap_s)

        first_s, answered = None, 0
        stream = self.engine.generate(inputs(), sampling(1), f"stream-{next(self.numbers)}")
        async for output in stream:
            answered += len(output.outputs[0].token_ids)
            if first_s is None and answered >= len(chunks):  # a token for every chunk before
                first_s = time.perf_counter() - start
        return {"first_s": first_s, "last_s": time.perf_counter() - start}


def sampling(output_tokens: int) -> SamplingParams:
    """Greedy and of fixed length."""
    return SamplingParams(
        max_tokens=output_tokens, temperature=0.0, ignore_eos=True, output_kind=RequestOutputKind.DELTA
    )


async def together(side: Side, *jobs) -> list:
    """What each of these jobs came to: its answer, {"error": text}, or None for nothing within GIVE_UP_S."""
    tasks = [asyncio.create_task(job) for job in jobs]
    done, late = await asyncio.wait(tasks, timeout=GIVE_UP_S)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    return [ended(task) if task in done else None for task in tasks]


def ended(task: asyncio.Task) -> dict:
    """The answer of a job that is done."""
    error = task.exception()
    return {"error": f"{type(error).__name__}: {error}"} if error else task.result()


async def alive(side: Side) -> bool:
    """Whether a short request still gets its token."""
    (end,) = await together(side, side.plain(10))
    return end is not None and end.get("first_s") is not None


async def failure(side: Side, kind: str) -> dict:
    """One of the situations in which stock vLLM fails; the pool has 79 blocks of 32 tokens."""
    if kind == "outgrown":  # two streams of 2,000 tokens each, and a plain request of 200
        jobs = [side.stream([1000, 1000], 0.5), side.stream([1000, 1000], 0.5), side.plain(200, after_s=1.0)]
    elif kind == "idle":  # one that holds most of the pool for 5 s, and a plain request of 1,500
        jobs = [side.stream([1900, 20], 0.0, hold_s=5.0), side.plain(1500, after_s=0.5)]
    else:  # one that grows beyond max_model_len
        jobs = [side.stream([900, 900, 900], 0.3)]
    ends = await together(side, *jobs)
    return {"ends": ends, "alive": await alive(side)}


async def streams(side: Side, many: int, chunks: int, tokens: int, gap_s: float) -> dict:
    """So many streams at a time: seconds from the last chunk of each to its first token."""
    sizes = [tokens // chunks] * chunks
    ends = await asyncio.gather(*(side.stream(sizes, gap_s) for _ in range(many)))
    return {"first_s": [end["first_s"] for end in ends]}


async def mix(side: Side, plain: int, tokens: int, output_tokens: int, idle: int, busy: int) -> dict:
    """Plain requests alone, beside idle streams or beside streams that come in: mean seconds of each."""
    in_the_way = [side.stream([32, 1], 0.0, hold_s=6.0) for _ in range(idle)]
    in_the_way += [side.stream([50] * 20, 0.1) for _ in range(busy)]
    tasks = [asyncio.create_task(job) for job in in_the_way]
    await asyncio.sleep(0.3)
    ends = await asyncio.gather(*(side.plain(tokens, output_tokens) for _ in range(plain)))
    await asyncio.gather(*tasks)
    return {key: sum(end[key] for end in ends) / plain for key in ("first_s", "last_s")}


QUESTIONS = {question.__name__: question for question in (failure, streams, mix)}


async def main() -> None:
    """Answer questions until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what vLLM and its processes print is no answer
    side = Side(sys.argv[1] == "plugin", json.loads(sys.argv[2]))
    await side.plain(500)
    print(json.dumps("ready"), file=answers, flush=True)
    lines = asyncio.get_running_loop()
    while line := await lines.run_in_executor(None, sys.stdin.readline):
        question = json.loads(line)
        answer = await QUESTIONS[question.pop("name")](side, **question)
        print(json.dumps(answer), file=answers, flush=True)
    side.engine.shutdown()


if __name__ == "__main__":
    asyncio.run(main())
