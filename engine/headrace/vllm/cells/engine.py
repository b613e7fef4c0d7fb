"""A running engine of vLLM with the plugin: one start, then one cell after another."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM

from headrace.errors import HeadraceError
from headrace.perf.profiler.devices import check_names
from headrace.vllm.cells.settings import EngineSize, Settings, words_of
from headrace.vllm.cells.weights import Weights
from headrace.vllm.chunk import KEY
from headrace.vllm.private import open_request

SCHEDULER = "headrace.vllm.scheduler.StreamScheduler"
SWAP = {
    "kv_connector": "SwapConnector",
    "kv_role": "kv_both",
    "kv_connector_module_path": "headrace.vllm.swap",
}
NEVER_S = 1e9
"""Time-out of a stream in a cell: a study stretches waits as far as it likes."""
SHUTDOWN_S = 10.0
"""For the engine and its workers to end by themselves, before they are made to."""


def device_names() -> list[str]:
    """Names of this machine's devices, as vLLM's platform gives them; ["cpu"] for the CPU build.

    None where vLLM finds no platform: its build for GPUs on a machine without one, or without a driver.
    """
    if current_platform.is_cpu():
        return ["cpu"]
    if current_platform.is_unspecified():
        return []
    return [current_platform.get_device_name(index) for index in range(current_platform.device_count())]


def check_device(gpu: str, tensor_parallel: int, place: object) -> str:
    """The device's name. Raises HeadraceError unless this machine has `tensor_parallel` of `gpu`."""
    names = device_names()
    if current_platform.is_cpu():
        names *= tensor_parallel  # its processes share the cores
    check_names(gpu, tensor_parallel, names, place)
    return names[0]


def engine_args(
    size: EngineSize, settings: Settings, weights: Weights, dtype: str, max_model_len: int, streams: int
) -> dict:
    """Arguments of vLLM's engine for cells of this size, with at most `streams` open streams.

    Prefix caching is off, as in the published engine: a request has no tokens of another's. Scheduling is
    synchronous, as there.
    """
    arguments = {
        "model": weights.folder,
        "skip_tokenizer_init": True,
        "load_format": weights.load_format,
        "dtype": dtype,
        "tensor_parallel_size": size.tensor_parallel,
        "max_model_len": max_model_len,
        "num_gpu_blocks_override": size.kv_blocks,
        "block_size": size.block_size,
        "max_num_batched_tokens": size.token_budget,
        "max_num_seqs": size.slots,
        "gpu_memory_utilization": settings.gpu_memory_utilization,
        "enable_prefix_caching": False,
        "async_scheduling": False,
        "disable_log_stats": True,
        "scheduler_cls": SCHEDULER,
        "additional_config": {KEY: {"max_streams": streams, "stream_timeout_s": NEVER_S, "control": True}},
    }
    if size.host_blocks:
        extra = {"kv_connector_extra_config": {"host_blocks": size.host_blocks}}
        arguments["kv_transfer_config"] = SWAP | extra
    return arguments | settings.extra_args


@asynccontextmanager
async def running(arguments: dict, place: object) -> AsyncIterator[AsyncLLM]:
    """Start an engine with these arguments and yield it; it is shut down when the body ends, however it does.

    Raises HeadraceError, naming `place`, when it does not start; its own words are above then.
    """
    try:
        engine = AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
    except HeadraceError:
        raise
    except Exception as error:  # Whatever stops an engine: memory, a wrong argument, a file.
        raise HeadraceError(
            place,
            f"vLLM does not start ({words_of(error)})",
            "its own words are above; check vllm.* and hardware.*",
        ) from error
    try:
        yield engine
    finally:
        engine.shutdown(timeout=SHUTDOWN_S)


def sampling(output_tokens: int, extra_args: dict | None = None) -> SamplingParams:
    """Greedy, of exactly so many tokens, handed to the client as they come."""
    return SamplingParams(
        max_tokens=output_tokens,
        min_tokens=0,
        temperature=0.0,
        ignore_eos=True,
        detokenize=False,
        output_kind=RequestOutputKind.DELTA,
        extra_args=extra_args,
    )


async def configure(engine: AsyncLLM, wanted: dict, place: object) -> None:
    """Give the empty engine another policy, eviction rule, costs and token budget (options.control).

    Raises HeadraceError, naming `place`, when the scheduler refuses.
    """
    report = await ask(engine, "configure", [1], sampling(1, {KEY: {"configure": wanted}}))
    if report.get("error") or "configured" not in report:
        problem = report.get("error") or "the scheduler did not take the cell's settings"
        raise HeadraceError(place, problem, "check policy, eviction and token budget of the cell")


async def warm_up(engine: AsyncLLM, size: EngineSize, token: int, longest: int) -> None:
    """Serve prompts of several lengths before anything is measured: kernels are made ready by size."""
    lengths = {1, 16, 256, min(size.token_budget, longest), min(2 * size.token_budget, longest)}
    for length in sorted(min(length, longest) for length in lengths):
        await ask(engine, f"warm-up-{length}", [token] * length, sampling(2))
    await asyncio.gather(
        *(ask(engine, f"warm-up-together-{i}", [token] * min(64, longest), sampling(4)) for i in range(8))
    )


async def ask(engine: AsyncLLM, request_id: str, tokens: list[int], params: SamplingParams) -> dict:
    """Serve one request to its end; the scheduler's report of it, {} if there is none."""
    report: dict = {}
    answers = await open_request(engine, request_id, tokens, params)
    finished = False
    while not finished:
        output = await answers.get()
        finished = output.finished
        report = (output.kv_transfer_params or {}).get(KEY) or report
    return report
