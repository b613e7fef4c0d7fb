"""CPU time of a step of scheduling, without a worker: stock vLLM's, the plugin's, and its planning."""

import time
from statistics import median

from vllm import SamplingParams
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request

from headrace.scheduling import Limits
from headrace.vllm.chunk import KEY, Chunk
from headrace.vllm.scheduler import StreamScheduler
from headrace.vllm.workerless import workerless

STEPS = 300
PROMPT, OUTPUT = 256, 2000  # tokens: nobody finishes
BUDGET, BLOCK = 8192, 32


class Timed(StreamScheduler):
    """The plugin, and the seconds of its planning."""

    planning_s = 0.0

    def _settle(self, now_s):
        start = time.process_time()
        settled = super()._settle(now_s)
        self.planning_s = time.process_time() - start
        return settled


def limits(live: int) -> Limits:
    """Room for all."""
    return Limits(BUDGET, slots=max(live, 16), blocks=live * 128 + 1000, host_blocks=0, block_size=BLOCK)


def steps_us(cls: type, live: int, kind: str) -> dict[str, float]:
    """Median microseconds of a step with `live` requests: schedule() and update_from_output().

    kind: "decode": plain requests that decode, one token each; "streams": open ones, of which ten a step
    get a chunk (with stock, which knows no open ones: "queued" requests wait behind a full engine).
    """
    options = {KEY: {"policy": "lcas", "max_streams": 10**6}} if cls is not Scheduler else {}
    room = limits(live if kind != "queued" else 16)
    scheduler = workerless(cls, room, options)
    for number in range(live):
        chunk = Chunk(stream=str(number)) if kind == "streams" else None
        scheduler.add_request(request(str(number), PROMPT, chunk))
    sent = [1] * live
    took, planned = [], []
    for step in range(-20 - live * PROMPT // BUDGET, STEPS):
        if kind == "streams":
            for turn in range(10):
                number = (step * 10 + turn) % live
                chunk = Chunk(stream=str(number), index=sent[number])
                scheduler.add_request(request(f"{number}-{sent[number]}", 8, chunk))
                sent[number] += 1
        start = time.process_time()
        output = scheduler.schedule()
        middle = time.process_time()
        names = list(output.num_scheduled_tokens)
        tokens = [sampled(scheduler.requests[name]) for name in names]
        made_up = ModelRunnerOutput(names, {name: place for place, name in enumerate(names)}, tokens)
        again = time.process_time()
        scheduler.update_from_output(output, made_up)
        if step >= 0:
            took.append(middle - start + time.process_time() - again)
            planned.append(getattr(scheduler, "planning_s", 0.0))
    return {"step_us": median(took) * 1e6, "planning_us": median(planned) * 1e6}


def request(name: str, tokens: int, chunk: Chunk | None) -> Request:
    params = SamplingParams(
        max_tokens=OUTPUT, ignore_eos=True, extra_args=chunk.extra_args() if chunk else None
    )
    return Request(name, [1] * tokens, params, None)


def sampled(request: Request) -> list[int]:
    """A token, if the worker would sample one."""
    return [] if request.num_computed_tokens < request.num_tokens else [1]
