"""vLLM's scheduler, told by Headrace's planner who runs: prompts that stream in, under any of its policies.

    python -m vllm.entrypoints.openai.api_server --model ... \\
      --scheduler-cls headrace.vllm.scheduler.StreamScheduler --no-async-scheduling \\
      --additional-config '{"headrace": {"policy": "lcas", "eviction": "recompute"}}'

Every request of vLLM has a mirror, `Served`, which is all that the planner sees. A step: the planner
plans; evictions and loads are applied; stock scheduling sees the planned runs and nothing else; the
planner is told what was done. Policies, eviction rules and planner are those of the simulator.
"""

import time
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from itertools import chain, count

from vllm.logger import init_logger
from vllm.v1.core.sched.async_scheduler import AsyncScheduler
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.core.sched.scheduler import Scheduler
from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, FinishReason
from vllm.v1.metrics.stats import SchedulerStats
from vllm.v1.request import Request, RequestStatus

from headrace.errors import HeadraceError
from headrace.kv import Ledger
from headrace.perf.records import read_record
from headrace.scheduling import CHUNK, GONE, OPENED, RECOMPUTE, Limits, Plan, scheduler
from headrace.streams.error import StreamError
from headrace.vllm import served as events
from headrace.vllm.chunk import KEY, Chunk, read_chunk
from headrace.vllm.counts import Counts
from headrace.vllm.options import PLACE, Planning, Polynomials, checked, read_options
from headrace.vllm.private import AheadHooks, Hooks, carry_counts, check_scheduler, check_version
from headrace.vllm.served import Served

SESSIONS = 1024  # refused ones that are remembered until their end comes; one that is aborted has none

logger = init_logger(f"vllm.{__name__}")  # below vLLM's own, so that it is shown as its are


class StreamMixin(Hooks):
    """Streams and plans in front of one of vLLM's schedulers.

    clock() -> seconds, as front-ends stamp arrivals; observe(plan, output), if set, sees every plan after
    vLLM scheduled exactly that (with a prefix cache the last one of a step). Raises HeadraceError at
    start-up for options or a vLLM that it can't serve.
    """

    runs_ahead = False  # steps are scheduled before the output of the one before is there

    def __init__(self, *args, **kwargs):
        check_version()
        super().__init__(*args, **kwargs)
        check_scheduler(self, self.runs_ahead)
        self.options = read_options(self.vllm_config.additional_config)
        self.clock: Callable[[], float] = time.time
        self.observe: Callable[[Plan, SchedulerOutput], None] | None = None
        self.counts = Counts()
        self.served: dict[str, Served] = {}  # by the request's id
        self.streams: dict[str, Served] = {}  # open ones, by the stream's id, longest without a chunk first
        self.numbers = count()
        # Held back from the planner: their grammar is compiled, or they came, or got work, during a pause.
        self.unready: dict[Served, None] = {}
        self.stoppable: dict[str, Served] = {}  # streams that a stop string may end, by the request's id
        self.idle: set[Served] = set()  # open, with nothing to compute
        self.sessions: dict[str, None] = {}  # ids of refused ones of vLLM's own streaming input
        self.leaving: dict[Served, int] = {}  # planned to their end, but their blocks are still held
        self.seated: set[Served] = set()  # with runs_ahead: who has a row in the worker's batch
        self.step: tuple[Plan, float] | None = None  # planned, not yet told as done; when
        self.gone: list[Served] = []  # while a step is under way
        self.firsts: deque[list[Served]] = deque()  # whose first token each step that is out will bring
        self.answers: list[tuple[int, EngineCoreOutput]] = []
        self.use(self.options)

    def use(self, planning: Planning) -> None:
        """Plan so from now on; there must be no request. Raises HeadraceError for too large a budget."""
        budget = self.token_budget
        if planning.token_budget and planning.token_budget > budget:
            remedy = f"--max-num-batched-tokens {planning.token_budget}"
            raise HeadraceError(f"{PLACE}.token_budget", f"vLLM takes {budget} at most", remedy)
        self.limits = Limits(
            token_budget=planning.token_budget or budget,
            slots=self.slots,
            blocks=self.usable_blocks,
            host_blocks=self.connector.host_blocks if self.connector else 0,
            block_size=self.block_size,
            blocks_ahead=0,
            held_tokens=1,
            whole_blocks=True,
            evict_for_slots=True,
        )
        self.ledger = Ledger(self.limits.blocks, self.limits.host_blocks, self.limits.block_size)
        costs = Polynomials(planning.costs)
        self.planner = scheduler(planning.policy, planning.eviction, costs, self.limits)

    # ---- requests and chunks ----

    def add_request(self, request: Request) -> None:
        """Take a plain request, or a chunk of a stream; what is wrong with one ends that one only."""
        try:
            extra = (request.sampling_params and request.sampling_params.extra_args) or {}
            if isinstance(extra.get(KEY), dict) and "configure" in extra[KEY]:
                self._configure(request, extra[KEY]["configure"])
                return
            chunk = read_chunk(extra)
            if not chunk or not chunk.index:
                self._open(request, chunk)
                return
        except HeadraceError as error:
            self._answer(request, FinishReason.ERROR, {"error": str(error), "status": status_of(error)})
            return
        stream = self.streams.get(chunk.stream)
        if stream is None:  # it was closed, has failed or was aborted: its client knows
            logger.debug("dropped chunk %d of the stream %r, which is not open", chunk.index, chunk.stream)
            return
        try:
            self._take(stream, chunk, request.prompt_token_ids or [], request.arrival_time)
        except HeadraceError as error:
            self._fail(stream, error)

    def _open(self, request: Request, chunk: Chunk | None) -> None:
        if self._of_a_session(request):
            raise HeadraceError(
                "request",
                "is a session of vLLM's own streaming input",
                "use headrace.vllm.client or /v1/stream",
            )
        if request.request_id in self.requests:
            raise HeadraceError(
                "request", f"there is a request {request.request_id!r} already", "use new ids"
            )
        served = Served(next(self.numbers), request, chunk)
        now_s = self.clock()
        if chunk:
            self._check_stream(request, chunk)
        closed = chunk is None or chunk.final
        served.opened_s = served.handed_over_s = request.arrival_time
        served.last_chunk_s = now_s
        served.change_prompt(request.num_prompt_tokens, 0, closed, self.limits.held_tokens, self.block_size)
        self._check_size(served, request.num_prompt_tokens)
        self.register(request)
        self.served[request.request_id] = served
        served.note(events.OPENED, now_s, request.num_prompt_tokens)
        if not closed:
            self.streams[chunk.stream] = served
            self._count_open()
        if chunk:
            self.counts.streams_opened += 1
            self.counts.chunks_append += 1
            if request.sampling_params.stop:
                self.stoppable[request.request_id] = served
            if closed:
                self._closed(served, now_s)
        if self.paused or self.waits_for_grammar(request):
            self.unready[served] = None
        else:
            self._ready(served, now_s)

    def _of_a_session(self, request: Request) -> bool:
        """Whether vLLM's own streaming input made it, or ends with it: that is a request like any other."""
        if request.resumable:
            self.sessions[request.request_id] = None
            if len(self.sessions) > SESSIONS:
                del self.sessions[next(iter(self.sessions))]
            return True
        return self.sessions.pop(request.request_id, self) is None

    def _ready(self, served: Served, now_s: float) -> None:
        self.planner.event(served, CHUNK if served.ready else OPENED, now_s)
        served.ready = True
        self._note_idle(served)

    def _check_stream(self, request: Request, chunk: Chunk) -> None:
        if chunk.stream in self.streams:
            raise HeadraceError("stream", f"there is an open stream {chunk.stream!r} already", "use new ids")
        if len(self.streams) >= self.options.max_streams:
            self._time_out(self.clock())  # an engine that sleeps has not looked
        if len(self.streams) >= self.options.max_streams:
            raise StreamError(
                "stream",
                f"{len(self.streams)} streams are open",
                "close some, or raise headrace.max_streams",
                HTTPStatus.TOO_MANY_REQUESTS,
            )
        if not request.prompt_token_ids or request.prompt_embeds is not None or request.mm_features:
            raise HeadraceError("stream", "the first chunk has no tokens", "send text or token ids")
        if request.sampling_params.prompt_logprobs is not None:
            raise HeadraceError("stream", "prompt_logprobs of a growing prompt", "leave it out")
        if self.seeds_end_the_engine(request.sampling_params):
            raise HeadraceError("stream", "a seed, on vLLM's CPU build", "temperature 0, or no seed")
        self._check_tokens(request.prompt_token_ids)

    def _check_tokens(self, tokens: list[int]) -> None:
        vocabulary = self.vllm_config.model_config.get_vocab_size()
        for token in (min(tokens), max(tokens)):
            if not 0 <= token < vocabulary:
                raise HeadraceError("stream", f"the model has no token {token}", f"0 to {vocabulary - 1}")

    def _check_size(self, served: Served, prompt_tokens: int) -> None:
        """Raises HeadraceError for a prompt that could never be served; bounds the tokens it may generate."""
        if prompt_tokens >= self.max_model_len:
            raise HeadraceError(
                "request",
                f"{prompt_tokens} prompt tokens",
                f"the model takes {self.max_model_len - 1} at most",
            )
        served.output_tokens = min(served.engine.max_tokens, self.max_model_len - prompt_tokens)
        if prompt_tokens + served.output_tokens - 1 > self.limits.longest_tokens:
            raise HeadraceError(
                "request",
                f"{prompt_tokens} prompt and {served.output_tokens} output tokens don't fit the KV cache",
                f"{self.limits.longest_tokens} at most",
            )

    def _take(self, stream: Served, chunk: Chunk, tokens: list[int], arrival_s: float) -> None:
        """A chunk of an open stream: the planner's view, the KV cache and vLLM's request change together."""
        if chunk.index != stream.chunks:
            raise HeadraceError(
                "stream",
                f"chunk {chunk.index} came after {stream.chunks - 1}",
                "send them in order, each once",
            )
        old, now_s = stream.engine.prompt_token_ids, self.clock()
        if chunk.empty:
            tokens, kept = old, len(old)
        else:
            if not tokens:
                raise HeadraceError("stream", "a chunk has no tokens", "send text or token ids")
            self._check_tokens(tokens)
            if chunk.mode == "append":
                tokens, kept = old + tokens, len(old)
            else:
                kept = common_prefix(old, tokens)
        self._check_size(stream, len(tokens))
        stream.chunks += 1
        stream.handed_over_s, stream.last_chunk_s = arrival_s, now_s
        invalidated = stream.invalidated_tokens
        left = stream.change_prompt(
            len(tokens), kept, chunk.final, self.limits.held_tokens, self.limits.block_size
        )
        if left is not None:
            self._trim(stream, left)
        if invalidated := stream.invalidated_tokens - invalidated:
            stream.note(events.INVALIDATED, now_s, invalidated)
            self.counts.invalidated_tokens += invalidated
        if not chunk.empty:
            self.set_prompt(stream.engine, tokens, kept)
            stream.note(events.CHUNK, now_s, len(tokens) - kept)
            if chunk.mode == "append":
                self.counts.chunks_append += 1
            else:
                self.counts.chunks_update += 1
        del self.streams[chunk.stream]
        if chunk.final:
            self._closed(stream, now_s)
            self._count_open()
        else:
            self.streams[chunk.stream] = stream  # now the one with the latest chunk
        self._changed(stream, now_s)

    def _changed(self, stream: Served, now_s: float) -> None:
        """Its prompt did. One that was idle when a pause began stays so: a pause is over with what is new."""
        if stream in self.unready:
            return
        if self.paused and stream in self.idle:
            self._note_idle(stream)
            if stream not in self.idle:
                self.unready[stream] = None
            return
        self.planner.event(stream, CHUNK, now_s)
        self._note_idle(stream)

    def _closed(self, stream: Served, now_s: float) -> None:
        stream.note(events.CLOSED, now_s, stream.prompt)
        self.counts.streams_closed += 1

    def _trim(self, stream: Served, tokens: int) -> None:
        """Keep the KV cache of the first `tokens` tokens, wherever it is."""
        blocks = tokens // self.block_size
        if stream.host_blocks:
            if stream.host_blocks > blocks:
                self.connector.trim(stream.engine.request_id, blocks)
                self.ledger.host_free += stream.host_blocks - blocks
                stream.host_blocks = blocks
        elif stream.blocks:
            self.truncate(stream.engine, tokens)
            stream.blocks = blocks

    def _note_idle(self, served: Served) -> None:
        if served.computed < served.prompt or served.closed:
            self.idle.discard(served)
        else:
            self.idle.add(served)

    def _count_open(self) -> None:
        self.counts.open_streams = len(self.streams)

    # ---- ends ----

    def _fail(self, served: Served, error: HeadraceError) -> None:
        """End one request with an error, which its last output tells."""
        served.error, served.status = str(error), status_of(error)
        request, report = served.engine, served.report(self.clock())
        self.finish_requests(request.request_id, RequestStatus.FINISHED_ERROR)
        self._answer(request, FinishReason.ERROR, report)

    def _answer(self, request: Request, reason: FinishReason, report: dict) -> None:
        """Send a request's last output with the next step's; an engine that is idle makes one for it."""
        output = EngineCoreOutput(
            request.request_id, [], finish_reason=reason, kv_transfer_params={KEY: report}
        )
        self.answers.append((request.client_index, output))

    def freed(self, request: Request) -> dict | None:
        """vLLM drops the request, finished, failed or aborted: what its last output carries."""
        served = self.served.pop(request.request_id, None)
        if served is None:
            return None
        now_s = self.clock()
        if self.streams.get(served.stream) is served:
            del self.streams[served.stream]
            self._count_open()
        if served.stream is not None:
            self._count_end(served, request)
        self.stoppable.pop(request.request_id, None)
        self.idle.discard(served)
        self.seated.discard(served)
        self.unready.pop(served, None)
        self.ledger.host_free += served.host_blocks
        served.host_blocks = 0
        if not served.ready:
            pass
        elif self.step:
            self.gone.append(served)
        else:
            self._forget(served, now_s)
        return {KEY: served.report(now_s)} if served.stream is not None else None

    def _count_end(self, stream: Served, request: Request) -> None:
        if request.status == RequestStatus.FINISHED_ABORTED:
            # A stop string is found by the front-end, which then aborts: all that is seen of it here.
            if not (request.sampling_params.stop and request.num_output_tokens):
                self.counts.streams_aborted += 1
        elif request.status == RequestStatus.FINISHED_ERROR:
            if stream.status == HTTPStatus.REQUEST_TIMEOUT:
                self.counts.streams_timed_out += 1
            else:
                self.counts.streams_failed += 1

    def _forget(self, served: Served, now_s: float) -> None:
        if self.leaving.pop(served, None) is None and served.finished_s is None:
            served.blocks = 0
            self.planner.event(served, GONE, now_s)

    def _time_out(self, now_s: float) -> None:
        """Fail streams that nobody goes on with; while the engine sleeps they wait for its next step."""
        timeout_s = self.options.stream_timeout_s
        while self.streams:
            stream = next(iter(self.streams.values()))
            if stream.last_chunk_s + timeout_s > now_s:
                break
            problem, remedy = f"no chunk for {timeout_s:g} s", "send them sooner, or close"
            self._fail(stream, StreamError("stream", problem, remedy, HTTPStatus.REQUEST_TIMEOUT))

    def _configure(self, request: Request, keys: object) -> None:
        place = f"{PLACE}: configure"
        if not self.options.control:
            raise HeadraceError(place, "requests may not change the planning", "start with control: true")
        planning = checked(read_record(Planning, keys, place))
        if self.served:
            raise HeadraceError(place, f"{len(self.served)} requests are served", "wait until they are done")
        self.use(planning)
        self._answer(request, FinishReason.ABORT, {"error": None, "configured": keys})

    # ---- steps ----

    def schedule(self, throttle_prefills: bool = False) -> SchedulerOutput:
        """One step: plan, make room, let vLLM schedule exactly the planned runs."""
        now_s = self.clock()
        self._time_out(now_s)
        if self.unready and not self.paused:
            for served in [served for served in self.unready if not self.waits_for_grammar(served.engine)]:
                del self.unready[served]
                self._ready(served, now_s)
        for request, why in self.take_failed_grammars():
            problem = f"its structured output can't be compiled ({why})"
            self._fail(self.served[request.request_id], HeadraceError("request", problem, "correct it"))
        if self.paused and not self.get_num_unfinished_requests():
            self.firsts.append([])
            return self.schedule_exactly([], {})
        plan, prefixes = self._settle(now_s)
        with self.pinned(prefixes):
            for stream, _ in plan.loads:
                self._load(stream, now_s)
            output = self.schedule_exactly(plan.runs, prefixes)
        self._advance(plan.runs, now_s)
        self.step = plan, now_s
        if self.runs_ahead:
            self._done()
        if self.observe:
            self.observe(plan, output)
        return output

    def _settle(self, now_s: float) -> tuple[Plan, dict]:
        """A plan whose evictions are applied, and the cached blocks that its requests begin with, by id.

        Without a prefix cache the first plan it is. With one, requests about to be admitted may find part
        of their prompt computed, and victims may hold blocks that others hold too; both show now, and the
        planner plans again.
        """
        planner, ledger = self.planner, self.ledger
        found = {}
        while True:
            ledger.blocks = self.limits.blocks - sum(self.leaving.values())
            ledger.free = free = self.free_blocks
            plan = planner.plan(now_s, ledger)
            if self.caches_prefixes and self._find_prefixes(plan, found, now_s):
                continue
            promised = sum(victim.blocks for victim, *_ in plan.evictions)
            for victim, how, *_ in plan.evictions:
                self._evict(victim, how, now_s)
            if self.free_blocks - free == promised:
                break
            planner.stepped(Plan((), plan.evictions), 0.0, now_s)
        if self.runs_ahead:
            plan = self._possible(plan)
        run = {served for served, *_ in plan.runs}
        for served in found.keys() - run:
            served.computed = 0
            planner.event(served, CHUNK, now_s)
        prefixes = {served.engine.request_id: blocks for served, blocks in found.items() if served in run}
        return plan, prefixes

    def _possible(self, plan: Plan) -> Plan:
        """What of a plan can be done with a step in flight; the rest has to wait for the next one.

        Who was evicted with its last token in flight can't run before it is there. Requests of which the
        last token is in flight still have their row in the worker's batch. Nobody overtakes one who is not
        admitted for that: planners with a queue take it that they admit in its order.
        """
        runs, seated, cut = [], self.seated, False
        rows = self.rows - len(seated)
        for run in plan.runs:
            served = run[0]
            if served in seated:
                runs.append(run)
            elif not served.blocks and cut:
                continue
            elif rows and not self.in_flight(served.engine):
                rows -= 1
                runs.append(run)
            else:
                cut = cut or not served.blocks
        if len(runs) == len(plan.runs):
            return plan
        planned = {served for served, *_ in plan.runs}
        if cut and any(served not in planned for served, _ in plan.loads):
            # Loaded without a run: where in the queue, the plan does not say.
            runs = [run for run in runs if run[0].blocks or run[0] in seated]
            return Plan(runs, plan.evictions)
        kept = {served for served, *_ in runs}
        return Plan(runs, plan.evictions, [load for load in plan.loads if load[0] in kept])

    def _find_prefixes(self, plan: Plan, found: dict[Served, list], now_s: float) -> bool:
        """Look for cached prefixes of requests that the plan runs from scratch; whether any changed."""
        changed = False
        for served, _, _ in plan.runs:
            if served.blocks or served.host_blocks or served in found:
                continue
            whole = (served.prompt - 1) // self.block_size * self.block_size
            blocks = self.cached_prefix(served.engine, whole)
            found[served] = blocks
            if served.computed != len(blocks) * self.block_size:
                served.computed = len(blocks) * self.block_size
                self.planner.event(served, CHUNK, now_s)
                changed = True
        return changed

    def _evict(self, victim: Served, how: str, now_s: float) -> None:
        if not victim.blocks:  # it loses a slot: all that was found computed are blocks of the prefix cache
            how, victim.computed = RECOMPUTE, 0
        request, tokens = victim.engine, victim.computed
        if how == RECOMPUTE:
            victim.computed = 0
            victim.preemptions_recompute += 1
            victim.note(events.PREEMPTED_RECOMPUTE, now_s, tokens)
            self.counts.preemptions_recompute += 1
            self.counts.recomputed_tokens += tokens
            self.idle.discard(victim)
        else:
            blocks = -(-tokens // self.block_size)
            if blocks:
                self.connector.swap_out(request.request_id, self.block_ids(request)[:blocks])
            self.ledger.host_free -= blocks
            victim.host_blocks = blocks
            victim.preemptions_swap += 1
            victim.note(events.PREEMPTED_SWAP, now_s, tokens)
            self.counts.preemptions_swap += 1
            self.counts.blocks_swapped_out += blocks
        victim.blocks = 0
        self.seated.discard(victim)
        self.preempt(request, time.monotonic())

    def _load(self, served: Served, now_s: float) -> None:
        request = served.engine
        ids = self.reload(request, served.computed)
        self.connector.swap_in(request.request_id, ids)
        self.ledger.host_free += served.host_blocks
        self.counts.blocks_swapped_in += served.host_blocks
        served.host_blocks, served.blocks = 0, len(ids)
        served.note(events.SWAPPED_IN, now_s, served.computed)

    def _advance(self, runs: list[tuple[Served, int, int]], now_s: float) -> None:
        """The runs are on their way: as far as the planner is concerned they are done."""
        size, firsts = self.block_size, []
        for served, tokens, _ in runs:
            if served.events[-1][0] not in events.RUNNING:
                served.events.append((events.SCHEDULED, now_s, tokens))
            served.computed_tokens += tokens
            served.computed = computed = served.computed + tokens
            served.blocks = (computed + size - 1) // size
            if computed < served.prompt:
                continue
            if not served.closed:
                self.idle.add(served)
                self.unready.pop(served, None)
                continue
            served.output = output = served.output + 1
            if output == 1:
                firsts.append(served)
            if output < served.output_tokens:
                served.prompt += 1  # the token about to be sampled is computed next
            else:
                served.finished_s = now_s
                self.leaving[served] = served.blocks
                served.blocks = 0
        if self.runs_ahead:
            self.seated.update(served for served, *_ in runs)
        self.firsts.append(firsts)

    def _done(self) -> None:
        """Tell the planner of the step, then of requests that ended meanwhile."""
        plan, planned_s = self.step
        now_s = self.clock()
        self.planner.stepped(plan, now_s - planned_s, now_s)
        self.step = None
        for served in self.gone:
            self._forget(served, now_s)
        self.gone.clear()

    def _note_first_tokens(self) -> None:
        """Of the oldest step that is out."""
        now_s = self.clock()
        for served in self.firsts.popleft():
            served.first_token_s = now_s
            served.events.append((events.FIRST_TOKEN, now_s, 1))
            if served.stream is not None:
                self.counts.first_token(now_s - served.last_chunk_s)

    def update_from_output(self, scheduler_output, model_runner_output) -> dict[int, EngineCoreOutputs]:
        """Take the tokens of a step; answers that are due go along."""
        self._note_first_tokens()
        outputs = super().update_from_output(scheduler_output, model_runner_output)
        if self.step:
            self._done()
        if self.stoppable:
            self._report_early(outputs)
        for client, output in self.answers:
            outputs.setdefault(client, EngineCoreOutputs()).outputs.append(output)
        self.answers.clear()
        return outputs

    def _report_early(self, outputs: dict[int, EngineCoreOutputs]) -> None:
        """Any token may be the one that completes a stop string, and no output would follow it."""
        now_s = self.clock()
        for output in chain.from_iterable(of_client.outputs for of_client in outputs.values()):
            stream = self.stoppable.get(output.request_id)
            if stream is not None and output.finish_reason is None:
                output.kv_transfer_params = {KEY: stream.report(now_s)}

    # ---- what vLLM asks ----

    def make_stats(self, *args, **kwargs) -> SchedulerStats | None:
        """vLLM's statistics of a step, and what this scheduler counted since the last ones."""
        stats = super().make_stats(*args, **kwargs)
        if stats is None:
            self.counts.ttft_us.clear()  # nobody will ask for them
        else:
            carry_counts(stats, self.counts.take())
        return stats

    def get_request_counts(self) -> tuple[int, int]:
        """Requests in the last step, and others with something to compute."""
        running = len(self.running)
        return running, max(len(self.requests) - len(self.idle) - running, 0)

    def get_num_unfinished_requests(self) -> int:
        """Those that the engine has to go on for; it sleeps while all streams wait for chunks."""
        if self.stopped:
            return 0
        return len(self.requests) - len(self.idle) - (len(self.unready) if self.paused else 0)

    def has_requests(self) -> bool:
        """Whether the engine has to make a step."""
        return super().has_requests() or bool(self.answers)

    def reset_prefix_cache(self, reset_running_requests: bool = False, reset_connector: bool = False) -> bool:
        """As vLLM's; with reset_running_requests all is computed anew, what is swapped out too."""
        if reset_running_requests:
            self._evict_all()
        return super().reset_prefix_cache(reset_running_requests, reset_connector)

    def _evict_all(self) -> None:
        now_s = self.clock()
        for served in self.leaving:  # of which the last token is in flight
            self.preempt(served.engine, time.monotonic())
            self.leaving[served] = 0
            self.seated.discard(served)
        victims = [served for served in self.served.values() if served.blocks]
        for victim in victims:
            if self.paused and victim in self.idle:
                self.unready[victim] = None
            self._evict(victim, RECOMPUTE, now_s)
        self.planner.stepped(Plan((), [(victim, RECOMPUTE, victim, 0) for victim in victims]), 0.0, now_s)
        for served in [served for served in self.served.values() if served.host_blocks]:
            self._trim(served, 0)
            self.counts.recomputed_tokens += served.computed
            served.computed = 0
            if self.paused and served in self.idle:
                self.unready[served] = None
            self._note_idle(served)
            self.planner.event(served, CHUNK, now_s)


def status_of(error: HeadraceError) -> int:
    """The HTTP status that tells programs the kind of an error: that of a StreamError, else 400."""
    return int(getattr(error, "status", HTTPStatus.BAD_REQUEST))


def common_prefix(old: list[int], new: list[int]) -> int:
    """How many tokens at the beginning are the same."""
    low, high = 0, min(len(old), len(new))
    if old[:high] == new[:high]:
        return high
    while high - low > 1:  # low are the same, within high is a difference
        middle = (low + high) // 2
        if old[low:middle] == new[low:middle]:
            low = middle
        else:
            high = middle
    return low


class StreamScheduler(StreamMixin, Scheduler):
    """For one step at a time: --no-async-scheduling."""


class AsyncStreamScheduler(StreamMixin, AheadHooks, AsyncScheduler):
    """For steps that are scheduled while the one before runs: vLLM's async scheduling."""

    runs_ahead = True
