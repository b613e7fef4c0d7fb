"""The Python client of an engine in this process: streams over vLLM's AsyncLLM."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind
from vllm.v1.engine.async_llm import AsyncLLM

from headrace.errors import HeadraceError
from headrace.streams.error import StreamError
from headrace.streams.stream import Prompt, Stream
from headrace.streams.token import Delta
from headrace.vllm import private
from headrace.vllm.chunk import KEY, Chunk
from headrace.vllm.scheduler import AsyncStreamScheduler, StreamScheduler

# Why the engine ends a request that is not done, and the status where its report has none.
STATUS = {"abort": HTTPStatus.SERVICE_UNAVAILABLE, "error": HTTPStatus.BAD_REQUEST}


class Client:
    """Streams prompts to an engine that runs the plugin's scheduler.

        engine = AsyncLLM.from_engine_args(AsyncEngineArgs(
            model=..., scheduler_cls="headrace.vllm.scheduler.StreamScheduler"))
        client = Client(engine)
        async with client.stream(SamplingParams(max_tokens=64)) as stream:
            await stream.append("a page")
            await stream.update("a better page")
            async for token in stream.finish("the question"):
                print(token.text, end="")
        print(stream.report)

    `timeout_s`: how long to wait for each token once a prompt is closed, None for ever. Raises
    HeadraceError for an engine with another scheduler.
    """

    def __init__(self, engine: AsyncLLM, *, timeout_s: float | None = None):
        private.check_version()
        scheduler = engine.vllm_config.scheduler_config.get_scheduler_cls()
        if not issubclass(scheduler, StreamScheduler | AsyncStreamScheduler):
            raise HeadraceError(
                "engine",
                f"it runs {scheduler.__module__}.{scheduler.__name__}, which does not know streams",
                "start it with --scheduler-cls headrace.vllm.scheduler.StreamScheduler",
            )
        self.engine, self.timeout_s = engine, timeout_s

    def stream(
        self,
        sampling_params: SamplingParams | None = None,
        *,
        timeout_s: float | None = None,
        max_chunk_tokens: int | None = None,
    ) -> "EngineStream":
        """A stream whose tokens are sampled so (None: vLLM's defaults); the first chunk opens it.

        Chunks of more than `max_chunk_tokens` tokens are refused; None: the model's own length is the bound.
        Raises StreamError for parameters that a stream can't have: several answers, logprobs of the prompt.
        """
        params = sampling_params.clone() if sampling_params is not None else SamplingParams()
        if params.n != 1:
            raise StreamError("sampling parameter n", f"is {params.n}", "a stream has one answer")
        if params.prompt_logprobs is not None:
            raise StreamError(
                "sampling parameter prompt_logprobs", "is set", "a prompt that changes has none"
            )
        if params.extra_args and KEY in params.extra_args:
            raise StreamError(f"extra_args: key {KEY}", "is the plugin's own", "leave it out")
        params.output_kind = RequestOutputKind.DELTA
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        return EngineStream(self.engine, params, timeout_s, max_chunk_tokens)


class EngineStream(Stream):
    """A stream of an engine in this process; its id is also that of the engine's request."""

    def __init__(
        self,
        engine: AsyncLLM,
        params: SamplingParams,
        timeout_s: float | None,
        max_chunk_tokens: int | None,
    ):
        super().__init__(f"stream-{uuid.uuid4().hex}", timeout_s)
        self._engine, self._params, self._max_chunk_tokens = engine, params, max_chunk_tokens
        self.prompt_tokens = 0  # as handed over so far
        self._answers = None

    async def _open(self, mode: str, prompt: Prompt, final: bool) -> None:
        ids = await self._token_ids(prompt, 0, special_tokens=True)
        self._params.extra_args = (self._params.extra_args or {}) | self._chunk("append", final).extra_args()
        with as_stream_errors(self.id):
            try:
                self._answers = await private.open_request(self._engine, self.id, ids, self._params)
            except Exception:  # on its way to the engine: the front-end may have it already
                await self._abort()
                raise
        self.prompt_tokens = len(ids)
        self.chunks = 1

    async def _send(self, mode: str, prompt: Prompt, final: bool) -> None:
        kept = self.prompt_tokens if mode == "append" else 0
        ids = await self._token_ids(prompt, kept, special_tokens=mode == "update") if prompt else []
        if not ids and not final:
            return  # text without a token
        chunk = self._chunk(mode if ids else "append", final, empty=not ids)
        with as_stream_errors(self.id):
            request = await private.chunk_request(
                self._engine, f"{self.id}-{self.chunks}", ids or [0], chunk.extra_args()
            )
            self.chunks += 1
            if ids:
                self.prompt_tokens = kept + len(ids)
            await private.send(self._engine, request)

    async def _deltas(self) -> AsyncIterator[Delta]:
        with as_stream_errors(self.id):
            finished = False
            while not finished:
                output = await self._answers.get()
                finished = output.finished
                # Where a stop string may end it, every output brings one; the last is right.
                report = (output.kv_transfer_params or {}).get(KEY) if finished else None
                (answer,) = output.outputs
                if answer.finish_reason in STATUS:
                    yield Delta(report=report)
                    message = (report or {}).get("error") or f"{self.id}: the engine ended it"
                    status = (report or {}).get("status") or STATUS[answer.finish_reason]
                    raise StreamError.told(message, status)
                yield Delta(
                    tuple(answer.token_ids), answer.text, answer.finish_reason, answer.stop_reason, report
                )

    async def _abort(self) -> None:
        if not self._engine.errored:
            await self._engine.abort(self.id)

    def _known(self) -> dict[str, Any]:
        return {"prompt_tokens": self.prompt_tokens}

    def _chunk(self, mode: str, final: bool, empty: bool = False) -> Chunk:
        return Chunk(stream=self.id, index=self.chunks, mode=mode, final=final, empty=empty)

    async def _token_ids(self, prompt: Prompt, kept: int, special_tokens: bool) -> list[int]:
        """The ids of a chunk behind `kept` tokens; StreamError for one that the model can't take."""
        config = self._engine.model_config
        if isinstance(prompt, str):
            if config.skip_tokenizer_init:
                raise StreamError(self.id, "the engine has no tokenizer, and the prompt is text", "send ids")
            with as_stream_errors(self.id):
                ids = await private.tokenise(self._engine, prompt, special_tokens)
        else:
            ids = list(prompt)
            vocabulary = config.get_vocab_size()
            if ids and max(ids) >= vocabulary:
                raise StreamError(
                    self.id, f"token id {max(ids)} is out of vocabulary", f"the model has 0..{vocabulary - 1}"
                )
        if not ids and not self.chunks:
            raise StreamError(self.id, "the first chunk has no token", "send at least one")
        if self._max_chunk_tokens is not None and len(ids) > self._max_chunk_tokens:
            raise StreamError(
                self.id,
                f"a chunk of {len(ids)} tokens",
                f"send at most {self._max_chunk_tokens} at a time",
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        if kept + len(ids) >= config.max_model_len:
            raise StreamError(
                self.id,
                f"the prompt would be {kept + len(ids)} tokens long",
                f"the model takes {config.max_model_len}, answer included (--max-model-len)",
            )
        return ids


@contextmanager
def as_stream_errors(place: str) -> Iterator[None]:
    """What vLLM raises, as a StreamError with the status that vLLM's own endpoints would answer."""
    try:
        yield
    except StreamError:
        raise
    except Exception as error:
        status = private.http_status(error) or HTTPStatus.INTERNAL_SERVER_ERROR
        raise StreamError.told(f"{place}: {error or type(error).__name__}", status) from error
