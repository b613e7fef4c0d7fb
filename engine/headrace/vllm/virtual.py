"""vLLM's scheduler with the plugin, or vLLM's own, on a virtual clock: real decisions, no worker."""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import NamedTuple

import vllm
from vllm import SamplingParams
from vllm.v1.core.sched.interface import SchedulerInterface
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.engine import FinishReason
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request as VllmRequest

from headrace.kv import LedgerError
from headrace.request import Request
from headrace.scheduling import RECOMPUTE, SWAP, Costs, Limits, Plan, Scheduler
from headrace.sim import HandOver, LivelockError, Result
from headrace.sim.collector import collector_paused
from headrace.sim.livelock import PATIENCE, names, patience_left
from headrace.vllm.chunk import KEY, Chunk
from headrace.vllm.prompt_ids import PromptIds
from headrace.vllm.scheduler import StreamScheduler
from headrace.vllm.workerless import workerless

VLLM = vllm.__version__.partition("+")[0]  # without the build
SAMPLED = 0  # the id of every sampled token: in no prompt


def plugin(policy: str, eviction: str, costs: Costs, limits: Limits) -> StreamScheduler:
    """The plugin's scheduler inside vLLM, without a worker; `costs` have polynomials (headrace.perf.Costs).

    Streams are neither limited in number nor timed out. Raises HeadraceError for an unknown policy or
    eviction rule, and ValueError for limits that the plugin can't have (headrace.spec.PLUGIN).
    """
    options = {
        "policy": policy,
        "eviction": eviction,
        "costs": {
            "recompute_s": list(costs.recompute.coefficients),
            "swap_s": list(costs.swap.coefficients),
        },
        "max_streams": 2**30,
        "stream_timeout_s": float(2**30),
    }
    found = workerless(StreamScheduler, limits, {KEY: options})
    if found.limits != limits:
        raise ValueError(f"the plugin has {found.limits}, not {limits}")
    return found


class Context(NamedTuple):
    """What a step's time depends on, of a request in it: its computed tokens before the step."""

    computed: int


class VirtualEngine:
    """A drop-in for headrace.sim.Simulator in which a scheduler of vLLM decides.

    Time and tables come from what vLLM scheduled: its step's tokens and contexts, the copies it sent to the
    workers, the tokens it was given. step_time, swap_time, observe and live_s are as the simulator's; the
    plan that `observe` sees is read off vLLM's output, so an eviction does not name who asked for it.

    `vllm` is a new scheduler (see `plugin`, headrace.vllm.workerless), `send` turns a chunk into requests
    of vLLM: that of headrace's plugin by default.
    """

    def __init__(
        self,
        vllm: SchedulerInterface,
        step_time: Callable[[Sequence[tuple[Context, int, int]]], float],
        swap_time: Callable[[int], float],
        limits: Limits,
        observe: Callable[[float, float, Plan], None] | None = None,
        live_s: float = 0.0,
        send: Callable[..., Iterable[VllmRequest]] | None = None,
    ):
        self.vllm, self.limits = vllm, limits
        self.step_time, self.swap_time, self.observe, self.live_s = step_time, swap_time, observe, live_s
        self.send = send or Chunks().requests
        self.connector = vllm.get_kv_connector()
        self.now_s = 0.0
        vllm.clock = lambda: self.now_s
        self.known: dict[str, int] = {}  # what a worker would have: tokens of each request, sampled ones too
        self.live: dict[Request, None] = {}  # opened and unfinished
        self.on_host: dict[str, None] = {}  # swapped out
        self.refused: list[Request] = []

    @property
    def scheduler(self) -> Scheduler:
        """The planner inside the plugin; it may be replaced by one around it before the run."""
        return self.vllm.planner

    @scheduler.setter
    def scheduler(self, planner: Scheduler) -> None:
        self.vllm.planner = planner

    def run(self, hand_overs: Sequence[HandOver], requests: Sequence[Request]) -> Result:
        """Serve all hand-overs (sorted by time) to the end, as headrace.sim.Simulator.run.

        Raises LivelockError as that does, and LedgerError when blocks are still held at the end.
        """
        with collector_paused():
            return self._serve(hand_overs, requests)

    def _serve(self, hand_overs, requests):
        budget = self.limits.token_budget
        busy_s = 0.0
        steps = plans = taken = progress_at = 0
        alarm, end = PATIENCE, len(hand_overs)
        looked_s = 0.0
        next_s = hand_overs[0][0] if end else inf
        while taken < end or self.live:
            while next_s <= self.now_s:
                self._take(hand_overs[taken], requests)
                taken += 1
                next_s = hand_overs[taken][0] if taken < end else inf
                progress_at, alarm = plans, plans + PATIENCE
            plans += 1
            if plans > alarm:
                if self.now_s > looked_s and next_s < inf:
                    looked_s, alarm = self.now_s, plans + PATIENCE
                else:
                    alarm = progress_at + patience_left(self.live, budget, plans - progress_at)
            before = len(self.live)
            output, plan, seconds = self._step(requests)
            self.now_s += seconds
            busy_s += seconds
            steps += bool(plan.runs)
            self._sample(output, requests)
            if len(self.live) < before:
                progress_at, alarm = plans, plans + PATIENCE
            idle = not (plan.runs or plan.evictions or plan.loads)
            if idle and len(self.live) == before:
                self._idle_until(next_s)
            if self.observe and not idle:
                self.observe(self.now_s, seconds, plan)
        self._audit()
        return Result(steps, busy_s, self.now_s, self.refused)

    def _take(self, hand_over: HandOver, requests: Sequence[Request]) -> None:
        time_s, index, prompt_tokens, _, final = hand_over
        request = requests[index]
        if request.opened_s is None:
            request.opened_s = time_s
            self.live[request] = None
            self.vllm.numbers = iter((request.id,))  # what policies break ties by, as in the simulator
        elif request not in self.live:  # refused before
            return
        request.prompt, request.closed = prompt_tokens, final
        request.handed_over_s, request.last_chunk_s = time_s, self.now_s
        for sent in self.send(hand_over, request.output_tokens):
            self.vllm.add_request(sent)
        if str(index) not in self.vllm.requests:
            del self.live[request]
            self.refused.append(request)

    def _step(self, requests: Sequence[Request]) -> tuple[SchedulerOutput, Plan, float]:
        """Let vLLM schedule; what it did, as a plan, and the seconds that takes."""
        held = {name: self.connector.holds(name) for name in self.on_host}
        output = self.vllm.schedule()
        seconds = 0.0
        if self.connector:
            for copied in output.kv_connector_metadata.copies:
                seconds += self.swap_time(len(copied.gpu_blocks))
        evictions, loads = [], []
        for name in output.preempted_req_ids:
            victim = requests[int(name)]
            how = SWAP if self.connector and self.connector.holds(name) else RECOMPUTE
            if how == SWAP:
                victim.preemptions_swap += 1
                self.on_host[name] = None
            else:
                victim.preemptions_recompute += 1
                victim.computed = 0
            evictions.append((victim, how, None, 0))
        for name, blocks in held.items():
            if not self.connector.holds(name):
                del self.on_host[name]
                if blocks and name not in output.preempted_req_ids:
                    loads.append((requests[int(name)], blocks))
        contexts = dict(_contexts(output))
        runs = [(requests[int(name)], tokens, 0) for name, tokens in output.num_scheduled_tokens.items()]
        if runs:
            timed = [(Context(contexts[name]), n, 0) for name, n in output.num_scheduled_tokens.items()]
            seconds += self.step_time(timed) + self.live_s * len(self.live)
        for name, tokens in output.num_scheduled_tokens.items():
            request = requests[int(name)]
            request.computed = contexts[name] + tokens
            request.computed_tokens += tokens
        return output, Plan(runs, evictions, loads), seconds

    def _sample(self, output: SchedulerOutput, requests: Sequence[Request]) -> None:
        """Give vLLM the tokens that its workers would have sampled, and note what it answers."""
        known = self.known
        for name in output.finished_req_ids:
            known.pop(name, None)
        for new in output.scheduled_new_reqs:
            known[new.req_id] = len(new.prompt_token_ids)
        sampled = []
        for name in output.num_scheduled_tokens:
            computed = requests[int(name)].computed
            if computed > known[name]:
                raise LedgerError(f"request {name}: {computed} tokens of {known[name]} are computed")
            sampled.append([SAMPLED] if computed == known[name] else [])
            known[name] += computed == known[name]
        order = {name: place for place, name in enumerate(output.num_scheduled_tokens)}
        answers = self.vllm.update_from_output(output, ModelRunnerOutput(list(order), order, sampled))
        for answer in answers.values():
            for one in answer.outputs:
                self._note(one, requests[int(one.request_id)])

    def _note(self, answer, request: Request) -> None:
        """What the client of a request sees of a step."""
        report = (answer.kv_transfer_params or {}).get(KEY)
        if answer.finish_reason == FinishReason.ERROR:
            if request.prompt + request.output_tokens - 1 <= self.limits.longest_tokens:
                raise RuntimeError(f"vLLM refused request {answer.request_id}: {report['error']}")
            return
        if answer.new_token_ids:
            request.output += len(answer.new_token_ids)
            if request.first_token_s is None:
                request.first_token_s = self.now_s
        if answer.finish_reason:
            request.finished_s = self.now_s
            if report:
                request.invalidated_tokens = report["invalidated_tokens"]
            del self.live[request]
        elif answer.new_token_ids:
            request.prompt += len(answer.new_token_ids)  # what was just sampled is computed next

    def _idle_until(self, next_s: float) -> None:
        """Nothing to do until the next chunk."""
        if next_s < inf:
            self.now_s = next_s
        elif self.live:
            never_closed = [request for request in self.live if not request.closed]
            why = "streams were never closed" if never_closed else "requests can never be served"
            raise LivelockError(f"{why}: {names(never_closed or self.live)}")

    def _audit(self) -> None:
        """Every block is free again, on both sides."""
        if used := self.vllm.get_kv_cache_usage():
            raise LedgerError(f"{used:.3%} of the KV blocks are still held after the last request")
        if self.connector and self.connector.host_free != self.connector.host_blocks:
            raise LedgerError("host blocks are still held after the last request")


class Chunks:
    """Hand-overs as requests of vLLM, in the plugin's way (headrace.vllm.chunk)."""

    def __init__(self):
        self.open: dict[int, tuple[PromptIds, int]] = {}  # by request: its prompt, chunks so far

    def requests(self, hand_over: HandOver, output_tokens: int) -> list[VllmRequest]:
        """The one request that carries the chunk. A prompt that comes whole is no stream."""
        time_s, stream, tokens, kept, final = hand_over
        prompt, index = self.open.pop(stream, None) or (PromptIds(), 0)
        before = prompt.tokens
        prompt.change(tokens, kept)
        if not final:
            self.open[stream] = prompt, index + 1
        elif not index:
            return [_request(str(stream), prompt.ids(), output_tokens, time_s)]
        appended = kept == before < tokens
        empty = final and kept == before == tokens
        chunk = Chunk(
            stream=str(stream),
            index=index,
            mode="append" if appended or empty else "update",
            final=final,
            empty=empty,
        )
        ids = [SAMPLED] if empty else prompt.ids(before if appended else 0)
        name = f"{stream}#{index}" if index else str(stream)
        return [_request(name, ids, output_tokens, time_s, chunk.extra_args())]


def _request(
    name: str, ids: list[int], output_tokens: int, time_s: float, extra_args: dict | None = None
) -> VllmRequest:
    sampling = SamplingParams(max_tokens=output_tokens, ignore_eos=True, extra_args=extra_args)
    return VllmRequest(name, ids, sampling, None, arrival_time=time_s)


def _contexts(output: SchedulerOutput) -> Iterable[tuple[str, int]]:
    """Computed tokens before the step, of every request in it."""
    for new in output.scheduled_new_reqs:
        yield new.req_id, new.num_computed_tokens
    cached = output.scheduled_cached_reqs
    yield from zip(cached.req_ids, cached.num_computed_tokens, strict=True)
