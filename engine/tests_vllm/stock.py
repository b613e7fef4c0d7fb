"""Stock vLLM's scheduler on a virtual clock: what it does with hand-overs, step by step, and nothing else.

It is driven as vLLM's engine drives it, with sampled tokens made up and a step's time taken from a function.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import NamedTuple

from vllm import SamplingParams
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request

from headrace.scheduling import Limits
from headrace.vllm.workerless import workerless


class Step(NamedTuple):
    """One call of schedule() that did something: ids and sizes, so that steps of two engines compare with ==.

    evicted: in the order of the evictions; runs: [(request, new tokens)], in order; free: blocks of the pool
    after the step.
    """

    end_s: float
    evicted: tuple[int, ...]
    runs: tuple[tuple[int, int], ...]
    free: int


@dataclass
class Outcome:
    """All steps; the two times of each request; stuck: requests are left and nothing moves them."""

    steps: list[Step] = field(default_factory=list)
    first_token_s: dict[int, float] = field(default_factory=dict)
    finished_s: dict[int, float] = field(default_factory=dict)
    stuck: bool = False

    @property
    def decisions(self) -> int:
        """Evictions and runs."""
        return sum(len(step.evicted) + len(step.runs) for step in self.steps)


class WatchedScheduler(Scheduler):
    """The stock scheduler; `evicted` are the requests of the last step, in order."""

    def schedule(self, *arguments, **more):
        self.evicted = []
        return super().schedule(*arguments, **more)

    def _preempt_request(self, request, *arguments, **more):
        self.evicted.append(int(request.request_id))
        return super()._preempt_request(request, *arguments, **more)


def serve(
    hand_overs: Sequence[tuple],
    output_tokens: Sequence[int],
    limits: Limits,
    step_time: Callable[[Sequence[tuple]], float],
    live_s: float = 0.0,
    watermark: float = 0.0,
    sessions_of_one: bool = False,
) -> Outcome:
    """Serve [(time_s, request, prompt_tokens, common_prefix_tokens, final)], sorted by time.

    A request whose first chunk is final is a plain one (with sessions_of_one: a session of one chunk), every
    other a session, as AsyncLLM sends it: each chunk resumable, with one token to sample, but for the last
    chunk, which has output_tokens and is followed by the end of the input at once. step_time and live_s are
    those of headrace.sim.Simulator.
    """
    scheduler = workerless(WatchedScheduler, limits, watermark=watermark)
    assert scheduler.max_num_scheduled_tokens == limits.token_budget
    pool = scheduler.kv_cache_manager.block_pool
    assert pool.get_num_free_blocks() == limits.blocks
    outcome, totals = Outcome(), {}

    def take(_, index, prompt_tokens, common_prefix_tokens, final):
        assert common_prefix_tokens == totals.get(index, 0) < prompt_tokens, "stock vLLM only appends"
        alone = final and index not in totals and not sessions_of_one
        wanted = output_tokens[index] if final else 1
        scheduler.add_request(chunk(index, prompt_tokens - totals.get(index, 0), wanted, not alone))
        totals[index] = prompt_tokens
        if final and not alone:
            scheduler.add_request(chunk(index, 1, 1, False))

    now_s, taken = 0.0, 0
    while True:
        while taken < len(hand_overs) and hand_overs[taken][0] <= now_s:
            take(*hand_overs[taken])
            taken += 1
        scheduled = scheduler.schedule()
        tokens = scheduled.num_scheduled_tokens
        if not tokens and not scheduler.evicted:
            if taken == len(hand_overs):
                outcome.stuck = bool(scheduler.requests)
                return outcome
            now_s = hand_overs[taken][0]
            continue
        if tokens:
            requests = [scheduler.requests[id] for id in tokens]
            sampling = [each for each in requests if each.num_computed_tokens == each.num_tokens]
            answering = [each for each in sampling if each.streaming_queue in (None, deque([None]))]
            contexts = [each.num_computed_tokens - tokens[each.request_id] for each in requests]
            runs = [
                (SimpleNamespace(computed=context), count, 0)
                for context, count in zip(contexts, tokens.values(), strict=True)
            ]
            now_s += step_time(runs) + live_s * len(scheduler.requests)
            scheduler.update_from_output(scheduled, made_up(requests, sampling))
            for each in answering:
                outcome.first_token_s.setdefault(int(each.request_id), now_s)
                if each.request_id not in scheduler.requests:
                    outcome.finished_s[int(each.request_id)] = now_s
        runs = tuple((int(id), count) for id, count in tokens.items())
        outcome.steps.append(Step(now_s, tuple(scheduler.evicted), runs, pool.get_num_free_blocks()))


def chunk(index: int, tokens: int, wanted: int, resumable: bool) -> Request:
    """What the engine makes of one message."""
    sampling = SamplingParams(max_tokens=wanted, ignore_eos=True)
    return Request(str(index), [0] * tokens, sampling, None, arrival_time=0.0, resumable=resumable)


def made_up(requests: Sequence[Request], sampling: Sequence[Request]) -> ModelRunnerOutput:
    """A worker's answer to a step: a token for every request that is computed to its end."""
    sampled = [[1] if request in sampling else [] for request in requests]
    ids = [request.request_id for request in requests]
    return ModelRunnerOutput(ids, {id: place for place, id in enumerate(ids)}, sampled)
