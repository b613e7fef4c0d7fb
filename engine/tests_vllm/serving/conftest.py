"""One API server for the tests of the endpoint, one AsyncLLM for those of the Python client."""

import asyncio

import pytest
from api_server import ApiServer
from model import VOCABULARY, write_model
from words import write_tokenizer

LIMITS = {"max_message_bytes": 200_000, "max_message_tokens": 1500, "max_sessions": 8, "idle_timeout_s": 3.0}


@pytest.fixture(scope="session")
def text_model(tmp_path_factory):
    """The tiny model with a tokenizer, on disk."""
    folder = write_model(tmp_path_factory.mktemp("text-model"))
    return write_tokenizer(folder, VOCABULARY)


@pytest.fixture(scope="session")
def server(text_model, tmp_path_factory):
    """vLLM's API server with small limits."""
    started = ApiServer(text_model, tmp_path_factory.mktemp("server") / "log.txt", {"endpoint": LIMITS})
    try:
        started.wait()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module")
def run():
    """Runs a coroutine in the loop that the engine of `llm` lives in."""
    loop = asyncio.new_event_loop()
    yield lambda coroutine: loop.run_until_complete(asyncio.wait_for(coroutine, 120))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


@pytest.fixture(scope="module")
def llm(text_model, run):
    """vLLM's AsyncLLM with the plugin's scheduler; its engine is a process of its own."""
    from engine import engine_args
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    arguments = vars(
        engine_args(
            text_model,
            skip_tokenizer_init=False,
            num_gpu_blocks_override=256,
            scheduler_cls="headrace.vllm.scheduler.StreamScheduler",
        )
    )
    known = AsyncEngineArgs.__dataclass_fields__

    async def start():
        return AsyncLLM.from_engine_args(
            AsyncEngineArgs(**{k: v for k, v in arguments.items() if k in known})
        )

    started = run(start())
    yield started
    started.shutdown()
