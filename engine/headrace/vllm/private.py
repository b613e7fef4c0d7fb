"""Everything of vLLM that is not its public interface: names, invariants, and which versions have them.

The rest of the package speaks to vLLM through this module. What it relies on was read in vLLM 0.32;
`check_version` and `check_scheduler` refuse what was not.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import vllm
from packaging.version import InvalidVersion, Version
from pydantic import ValidationError
from vllm import SamplingParams
from vllm.exceptions import GracefulHTTPError, VLLMClientError
from vllm.inputs import TextPrompt
from vllm.inputs.engine import tokens_input
from vllm.sampling_params import SamplingType
from vllm.v1.core.sched.interface import PauseState
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.core.single_type_kv_cache_manager import FullAttentionManager
from vllm.v1.engine import EngineCoreOutput, EngineCoreRequest
from vllm.v1.engine.exceptions import EngineDeadError
from vllm.v1.metrics.stats import SchedulerStats
from vllm.v1.request import Request, RequestStatus

from headrace.errors import HeadraceError
from headrace.vllm.served import Served

if TYPE_CHECKING:  # the engine's own process has no front-end
    from vllm.v1.engine.async_llm import AsyncLLM
    from vllm.v1.engine.output_processor import RequestOutputCollector

SUPPORTED = "0.32"
_CARRIED = "headrace:"


def check_version(version: str = vllm.__version__) -> None:
    """Raises HeadraceError for a vLLM whose scheduler this plugin was not written for."""
    try:
        release = Version(version).release[:2]
    except InvalidVersion:
        release = ()
    if release != Version(SUPPORTED).release:
        raise HeadraceError(
            "vllm",
            f"version {version}, but the plugin changes the scheduler of {SUPPORTED}",
            f"pip install 'vllm=={SUPPORTED}.*'",
        )


def check_scheduler(scheduler: "Hooks", runs_ahead: bool) -> None:
    """Raises HeadraceError for a configuration that the planner does not know about."""
    config = scheduler.vllm_config
    parallel, scheduling = config.parallel_config, config.scheduler_config
    managers = scheduler.kv_cache_manager.coordinator.single_type_managers
    connector = scheduler.connector
    ahead = config.max_concurrent_batches > 1
    wrong = {
        "two steps are in flight at a time (async scheduling)": (
            ahead and not runs_ahead,
            "--no-async-scheduling, or the class headrace.vllm.scheduler.AsyncStreamScheduler",
        ),
        "pipeline parallelism": (parallel.pipeline_parallel_size > 1, "--tensor-parallel-size"),
        "data parallelism": (parallel.data_parallel_size > 1, "one server per replica"),
        "context parallelism": (
            parallel.decode_context_parallel_size > 1 or parallel.prefill_context_parallel_size > 1,
            "--tensor-parallel-size",
        ),
        "speculative decoding": (config.speculative_config is not None, "no --speculative-config"),
        "LoRA adapters": (config.lora_config is not None, "no --enable-lora"),
        "images and other media": (
            scheduler.max_num_encoder_input_tokens > 0,
            "a model of text only, or --language-model-only",
        ),
        "an encoder-decoder or pooling model": (
            scheduler.is_encoder_decoder or config.model_config.runner_type != "generate",
            "a decoder-only model",
        ),
        "a model with other than full attention in all layers": (
            len(managers) != 1
            or type(managers[0]) is not FullAttentionManager
            or scheduler.hash_block_size != managers[0].block_size
            or scheduler.prefix_replay_tokens > 0,
            "a model without sliding windows, Mamba layers or KV sharing",
        ),
        f"--scheduling-policy {scheduling.policy}": (
            scheduling.policy != "fcfs",
            "leave it to headrace.policy",
        ),
        "prefill without chunks": (not scheduling.enable_chunked_prefill, "--enable-chunked-prefill"),
        "--long-prefill-token-threshold": (scheduling.long_prefill_token_threshold > 0, "leave it at 0"),
        f"the KV connector {type(connector).__name__}": (
            connector is not None and not hasattr(connector, "swap_out"),
            "headrace.vllm.swap.SwapConnector, or none",
        ),
    }
    for what, (found, instead) in wrong.items():
        if found:
            raise HeadraceError("headrace.vllm.scheduler", f"{what} is not supported", instead)


class CappedRequest(Request):
    """A vLLM request of which a step sees only its first `num_tokens` tokens, to run what was planned.

    Requests are of this class while they are scheduled for less than all that they have.
    """

    num_tokens = num_tokens_with_spec = 0  # the first hides a property; there are no speculative tokens

    def cap(self, tokens: int) -> None:
        """Become one."""
        self.__class__ = CappedRequest
        self.num_tokens = self.num_tokens_with_spec = tokens

    def uncap(self) -> None:
        """Be a Request again."""
        del self.num_tokens, self.num_tokens_with_spec
        self.__class__ = Request


class Hooks:
    """The private side of a Scheduler, as a mixin in front of it.

    Between two steps stock queues are empty: which requests are there and who runs next is the
    subclass's business. It defines `freed(request)`, called when vLLM drops a request, returning what
    its last output is to carry (or None).
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.scheduler_reserve_full_isl = False  # the plan is what admits
        self.defer_block_free = False  # swaps are ordered with the steps, so freed blocks may be used at once
        (self._manager,) = self.kv_cache_manager.coordinator.single_type_managers[:1]

    # ---- what is there ----

    @property
    def slots(self) -> int:
        """Requests that may be resident at a time."""
        return min(self.max_num_running_reqs, self.max_num_active_reqs)

    @property
    def rows(self) -> int:
        """Requests that a worker has room for."""
        return self.max_num_running_reqs

    @property
    def token_budget(self) -> int:
        """New tokens of a step."""
        return self.max_num_scheduled_tokens

    @property
    def usable_blocks(self) -> int:
        """KV blocks of the pool without vLLM's null block and its watermark."""
        return self.kv_cache_manager.block_pool.num_gpu_blocks - 1 - self.kv_cache_manager.watermark_blocks

    @property
    def free_blocks(self) -> int:
        """Of these, those that nobody holds (a prefix cache may still know what is in them)."""
        return self.kv_cache_manager.block_pool.get_num_free_blocks() - self.kv_cache_manager.watermark_blocks

    @property
    def caches_prefixes(self) -> bool:
        """Whether prefix caching is on."""
        return self.kv_cache_manager.enable_caching

    @property
    def paused(self) -> bool:
        """Requests that are new have to wait."""
        return self._pause_state != PauseState.UNPAUSED

    @property
    def stopped(self) -> bool:
        """Nothing may run."""
        return self._pause_state == PauseState.PAUSED_ALL

    def block_ids(self, request: Request) -> list[int]:
        """The blocks it holds, in the order of its tokens."""
        return [block.block_id for block in self._manager.req_to_blocks.get(request.request_id, ())]

    def cached_prefix(self, request: Request, tokens: int) -> Sequence:
        """The blocks of the prefix cache that hold the beginning of its first `tokens` tokens."""
        blocks, hits, _ = self.kv_cache_manager.get_computed_blocks(request)
        return blocks.blocks[0][: min(hits, tokens) // self.block_size] if hits else ()

    def in_flight(self, request: Request) -> bool:
        """It was preempted with a step in flight, whose token has to come back before it may run."""
        return request.num_stale_output_tokens > 0 and not request.drop_stale_output

    def waits_for_grammar(self, request: Request) -> bool:
        """Its grammar is not compiled yet."""
        return self._is_blocked_waiting_status(request.status) and not self._handle_blocked_waiting_request(
            request
        )

    def take_failed_grammars(self) -> list[tuple[Request, Exception]]:
        """Whose grammar `waits_for_grammar` found to be impossible, and why: vLLM would end them silently."""
        failed = [self.requests[id] for id in self.grammar_compile_error_reqs if id in self.requests]
        self.grammar_compile_error_reqs.clear()
        return [(request, request.structured_output_request.grammar) for request in failed]

    def seeds_end_the_engine(self, params: SamplingParams) -> bool:
        """After a prefill in parts vLLM sets a seeded generator back; on a CPU that raises, in its worker."""
        cpu = self.vllm_config.device_config.device_type == "cpu"
        return cpu and params.sampling_type == SamplingType.RANDOM_SEED

    # ---- what changes it ----

    def register(self, request: Request) -> None:
        """Let vLLM know of a new request; it stays in no queue."""
        super().add_request(request)
        self._empty_queues()

    def set_prompt(self, request: Request, tokens: list[int], kept: int) -> None:
        """Give it a new prompt, of which the first `kept` tokens are as before.

        As a waiting request it is sent to the worker anew: prompt, block table, position. The list must be
        new, for a worker in the same process may hold the old one; views point to the one of all tokens.
        """
        request.prompt_token_ids = tokens
        request._all_token_ids[:] = tokens
        request.num_prompt_tokens = len(tokens)
        del request.block_hashes[kept // self.hash_block_size :]
        request.update_block_hashes()
        if not self._is_blocked_waiting_status(request.status):
            request.status = RequestStatus.WAITING

    def truncate(self, request: Request, tokens: int) -> None:
        """Keep the KV cache of its first `tokens` tokens only, a multiple of the block size.

        Never part of a block: the prefix cache may know it, and others may share it.
        """
        manager, id = self._manager, request.request_id
        keep = tokens // manager.block_size
        request.num_computed_tokens = tokens
        if not keep:
            self._free_request_blocks(request)
            return
        blocks = manager.req_to_blocks[id]
        tail = blocks[keep:]
        del blocks[keep:]
        if id in manager.num_cached_block:
            manager.num_cached_block[id] = min(manager.num_cached_block[id], keep)
        self.kv_cache_manager.block_pool.free_blocks(reversed(tail))

    def preempt(self, request: Request, timestamp: float) -> None:
        """Take all its blocks. vLLM may still have a step of it in flight: see `in_flight`."""
        request.status = RequestStatus.RUNNING  # all that is asserted of a victim
        self._preempt_request(request, timestamp)
        self._empty_queues()
        if not request.num_output_tokens:
            request.status = RequestStatus.WAITING  # else its prompt is not sent again, and chunks may come

    def reload(self, request: Request, tokens: int) -> list[int]:
        """Give a preempted request blocks for `tokens` tokens whose KV cache is copied in; returns them."""
        self._manager.allocate_new_blocks(request.request_id, tokens, tokens)
        request.num_computed_tokens = tokens
        return self.block_ids(request)

    @contextmanager
    def pinned(self, prefixes: Mapping[str, Sequence]) -> Iterator[None]:
        """Inside, nobody who allocates may reuse these cached blocks, which requests are about to take."""
        pool = self.kv_cache_manager.block_pool
        blocks = [block for prefix in prefixes.values() for block in prefix]
        pool.touch(blocks)
        try:
            yield
        finally:
            pool.free_blocks(reversed(blocks))

    def schedule_exactly(
        self, runs: Sequence[tuple[Served, int, int]], prefixes: Mapping[str, Sequence]
    ) -> SchedulerOutput:
        """A step of stock scheduling with the runs of a plan and nothing else.

        prefixes: cached blocks that requests are to begin with, by id (see `pinned`). Raises RuntimeError
        when vLLM does anything else.
        """
        self._prefixes, self._capped = prefixes, []
        self.running, planned = [], {}
        for served, tokens, _ in runs:
            request = served.engine
            planned[request.request_id] = tokens
            there = len(request._all_token_ids) + request.num_output_placeholders
            if served.computed + tokens != there:
                CappedRequest.cap(request, served.computed + tokens - request.num_output_placeholders)
                self._capped.append(request)
            if request.status == RequestStatus.RUNNING:
                self.running.append(request)
            else:
                self.kv_holding_waiting.add_request(request)
        try:
            output = super().schedule()
        finally:
            self._uncap()
        if output.num_scheduled_tokens != planned or self.waiting or self.kv_holding_waiting:
            raise RuntimeError(f"vLLM scheduled {output.num_scheduled_tokens}, planned was {planned}")
        return output

    def _uncap(self) -> None:
        for request in self._capped:
            request.uncap()
        self._capped.clear()

    def _empty_queues(self) -> None:
        for queue in (self.waiting, self.kv_holding_waiting):
            queue.remove_requests(list(queue))
        self.deferred_waiting.clear()

    # ---- what vLLM calls ----

    def has_finished_requests(self) -> bool:
        """Whether workers have to be told of requests that ended."""
        return bool(self.finished_req_ids)

    def reset_prefix_cache(self, reset_running_requests: bool = False, reset_connector: bool = False) -> bool:
        """As vLLM's, but who is to be preempted the subclass has preempted already."""
        self.running = []
        return super().reset_prefix_cache(reset_running_requests, reset_connector)

    def _get_local_prefix_cache_hit(self, request: Request) -> tuple:
        # What was planned, not what is there now: by this time the cache knows of blocks that others are to
        # compute in this very step.
        blocks = list(self._prefixes.get(request.request_id, ()))
        hit = self.kv_cache_manager.create_kv_cache_blocks((blocks,))
        return hit, len(blocks) * self.block_size, 0, False

    def _update_after_schedule(self, scheduler_output: SchedulerOutput) -> None:
        # Uncapped, so that a prefill that was cut, or whose last token is held back, counts as unfinished.
        self._uncap()
        super()._update_after_schedule(scheduler_output)

    def _free_request(self, request: Request, *args, **kwargs):
        report = self.freed(request)
        params, ec_params = super()._free_request(request, *args, **kwargs)
        return ({**(params or {}), **report} if report else params), ec_params


class AheadHooks(Hooks):
    """The same for steps that are scheduled while the one before runs."""

    def _update_request_with_output(self, request: Request, *args, **kwargs):
        found = super()._update_request_with_output(request, *args, **kwargs)
        if request.status == RequestStatus.WAITING:  # preempted with its first token in flight
            request.status = RequestStatus.PREEMPTED  # sent anew, its prompt would be all that a worker has
        return found


# ---- statistics, from the engine's process to the front-end's ----


def carry_counts(stats: SchedulerStats, counts: dict[str, int]) -> None:
    """Send whole numbers along with the statistics of a step.

    A class of its own would not survive the way to the front-end, and the statistics of a KV connector are
    only taken where there is one. The field used names LoRA adapters, which this scheduler refuses.
    """
    stats.running_lora_adapters.update({f"{_CARRIED}{name}": number for name, number in counts.items()})


def carried_counts(stats: SchedulerStats) -> dict[str, int]:
    """What `carry_counts` sent; empty for the statistics of another scheduler."""
    return {
        name.removeprefix(_CARRIED): number
        for name, number in stats.running_lora_adapters.items()
        if name.startswith(_CARRIED)
    }


# ---- the front-end: AsyncLLM and what is behind it ----


async def tokenise(engine: "AsyncLLM", text: str, special_tokens: bool) -> list[int]:
    """The ids of a text, made off the event loop. Raises VLLMClientError, e.g. for one that is too long."""
    how = engine.renderer.default_cmpl_tok_params.with_kwargs(add_special_tokens=special_tokens)
    (prompt,) = await engine.renderer.render_cmpl_async([TextPrompt(prompt=text)], how)
    return list(prompt["prompt_token_ids"])


async def open_request(
    engine: "AsyncLLM", id: str, tokens: list[int], params: SamplingParams
) -> "RequestOutputCollector":
    """Send a request, as `generate` does, but return as soon as the engine has it.

    So a chunk sent after this can't overtake it. The answer's pieces come from `get()` of what is returned;
    `engine.abort(id)` ends it.
    """
    return await engine.add_request(id, tokens_input(tokens), params)


async def chunk_request(
    engine: "AsyncLLM", id: str, tokens: list[int], extra_args: dict
) -> EngineCoreRequest:
    """A request for the scheduler to consume, checked by vLLM as any other; `send` sends it."""
    if engine.errored:
        raise EngineDeadError()
    return engine.input_processor.process_inputs(
        id,
        tokens_input(tokens),
        SamplingParams(max_tokens=1, detokenize=False, extra_args=extra_args),
        await engine.get_supported_tasks(),
        arrival_time=time.time(),
    )


async def send(engine: "AsyncLLM", request: EngineCoreRequest) -> None:
    """Send it past the front-end, which would wait for an answer."""
    await engine.engine_core.add_request_async(request)


def sampling_params(engine: "AsyncLLM", parameters: dict) -> SamplingParams:
    """What /v1/completions would make of these, the server's and the model's defaults included.

    Raises ValueError and vLLM's own errors of this kind.
    """
    from vllm.entrypoints.openai.completion.protocol import CompletionRequest

    defaults = engine.model_config.get_diff_sampling_param()
    try:
        asked = CompletionRequest(prompt=[0], **parameters)  # it asks for a prompt; this one is not used
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    longest = min(asked.max_tokens, defaults.get("max_tokens", asked.max_tokens))
    return asked.to_sampling_params(longest, defaults)


def http_status(error: Exception) -> int | None:
    """The status vLLM's own endpoints give to what its front-end raised; None for what it didn't foresee."""
    if isinstance(error, GracefulHTTPError):
        return int(error.http_status)
    if isinstance(error, EngineDeadError):
        return 503
    if isinstance(error, VLLMClientError | ValueError | TypeError | OverflowError):
        return 400
    return None


# ---- an engine without a front-end, for measurements ----


class SteppedEngine:
    """An engine core in this process that makes a step when it is told to.

    `arguments` are those of vLLM's EngineArgs; its scheduler is one of this plugin's. Workers of several
    devices are processes of their own, as always.
    """

    def __init__(self, arguments: dict):
        from vllm.engine.arg_utils import EngineArgs
        from vllm.v1.engine.core import EngineCore
        from vllm.v1.executor import Executor

        config = EngineArgs(**arguments).create_engine_config()
        self._core = EngineCore(config, Executor.get_class(config), log_stats=False)

    @property
    def scheduler(self) -> Hooks:
        """The plugin's scheduler."""
        return self._core.scheduler

    def send(self, id: str, tokens: Sequence[int], params: SamplingParams) -> None:
        """Hand a request over, or a chunk of a stream."""
        request = EngineCoreRequest(
            request_id=id,
            prompt_token_ids=list(tokens),
            mm_features=None,
            sampling_params=params,
            pooling_params=None,
            arrival_time=time.time(),
            lora_request=None,
            cache_salt=None,
            data_parallel_rank=None,
        )
        self._core.add_request(*self._core.preprocess_add_request(request))

    def step(self) -> list[EngineCoreOutput]:
        """One step: schedule, compute, take the tokens; what it would tell a front-end."""
        outputs, _ = self._core.step()
        return [output for of_client in outputs.values() for output in of_client.outputs]

    def abort(self, ids: Sequence[str]) -> None:
        """Drop requests; the next step tells the workers."""
        self._core.abort_requests(list(ids))

    def on_workers(self, function: Callable, *args) -> list:
        """What `function(worker, *args)` returns on each worker."""
        return self._core.model_executor.collective_rpc(function, args=args)

    def shutdown(self) -> None:
        """End the workers."""
        self._core.shutdown()
