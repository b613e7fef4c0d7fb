"""A prompt on its way: append and update until it is finished, then its tokens. What clients share."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus

from headrace.errors import nearest
from headrace.streams.error import StreamError
from headrace.streams.parameters import is_text
from headrace.streams.token import Completion, Delta, Token

Prompt = str | Sequence[int]
MODES = ("append", "update")


class Stream(ABC):
    """One request whose prompt may grow (append) or change (update) while the engine computes it.

        async with client.stream(...) as stream:
            await stream.append("a page")
            await stream.append("another page")
            async for token in stream.finish("the question"):
                print(token.text, end="")

    The first chunk opens the stream, whichever call brings it. Leaving the block before the last token
    aborts the request in the engine. Calls from several tasks are taken one after the other. Every
    failure is a `StreamError`; a refused chunk leaves the stream as it was, so that the caller can go on.

    Subclasses bring the chunks somewhere: `_open`, `_send`, `_deltas`, `_abort`, `_leave`.
    """

    def __init__(self, id: str, timeout_s: float | None = None):
        """`timeout_s`: how long to wait for the first and for each further token once it is finished; None
        waits for ever."""
        if timeout_s is not None and not timeout_s > 0:
            raise StreamError("timeout_s", f"{timeout_s!r} is not above 0", "give seconds, or None to wait")
        self.id = id
        self.timeout_s = timeout_s
        self.chunks = 0  # handed over, the last one included
        self._opened = False  # the first chunk is with the engine, or on its way
        self._finishing = False  # the prompt is closed, or being closed
        self._over = asyncio.Event()  # the last token is here, or the stream has failed
        self._failure: StreamError | None = None
        self._report: dict | None = None
        self._output_tokens = 0
        self._finish_reason: str | None = None
        self._stop_reason: int | str | None = None
        self._changing = asyncio.Lock()
        self._arrived: asyncio.Queue[Delta | None] = asyncio.Queue()  # None: nothing will follow
        self._reading: asyncio.Task | None = None

    async def append(self, prompt: Prompt) -> None:
        """Add text or token ids to the end of the prompt. An empty one changes nothing.

        Text is tokenised chunk by chunk: the first with the model's special tokens, later ones without.
        Chunks cut in the middle of a word may give other tokens than the joined text would; cut between
        sentences or pages, or send token ids.

        Raises StreamError: after finish, an empty first chunk, a token id the model does not have, a
        prompt longer than the model takes, a stream that has failed meanwhile.
        """
        await self._change("append", prompt, final=False)

    async def update(self, prompt: Prompt) -> None:
        """Replace the whole prompt. What it has in common with the old one from its start stays computed.

        Text is tokenised with the model's special tokens. Raises StreamError as `append`, and for an
        empty prompt.
        """
        await self._change("update", prompt, final=False)

    def finish(self, prompt: Prompt | None = None, mode: str = "append") -> AsyncIterator[Token]:
        """Close the prompt and get its tokens, with a last chunk or without.

        A last chunk handed over here saves a step: the engine knows that it is the last. The prompt is
        closed when the iteration starts. Leaving the iteration early is fine; leaving the block of the
        stream then aborts the request. Raises StreamError as `append`, when called twice, and when no
        token comes for `timeout_s`.
        """
        self._check_going()
        self._check_unfinished()
        self._finishing = True
        return self._finish(prompt, mode)

    async def complete(self, prompt: Prompt | None = None, mode: str = "append") -> Completion:
        """Close the prompt as `finish` does and wait for the whole answer."""
        await self.close(prompt, mode)
        return await self.completion()

    async def close(self, prompt: Prompt | None = None, mode: str = "append") -> None:
        """Close the prompt without waiting for tokens: the first half of `finish`."""
        self._check_going()
        self._check_unfinished()
        self._finishing = True
        await self._close(prompt, mode)

    async def deltas(self) -> AsyncIterator[Delta]:
        """The pieces of the answer as they come, after `close`: the second half of `finish`."""
        while (delta := await self._next()) is not None:
            yield delta
        if self._failure is not None:
            raise self._failure

    async def completion(self) -> Completion:
        """The whole answer, after `close`."""
        text, token_ids = [], []
        async for delta in self.deltas():
            text.append(delta.text)
            token_ids += delta.token_ids
        return Completion("".join(text), token_ids, self._finish_reason, self._stop_reason, self.report)

    async def abort(self, why: StreamError | None = None) -> None:
        """End the request in the engine, whatever state it is in; later calls fail with `why`.

        Aborting twice, or after the end, is no error and changes nothing.
        """
        if self.ended:
            return
        self._end(why or StreamError(self.id, "was aborted", "open a new stream", HTTPStatus.CONFLICT))
        if self._opened:
            await self._abort()

    @property
    def report(self) -> dict | None:
        """What the engine did for it, None before the end: counts and times of docs/vllm.md ("Report").

        A stream that the client aborted has None in all that only the engine knows.
        """
        if self._report is not None or not self.ended:
            return self._report
        known = {"stream": self.id, "chunks": self.chunks, "output_tokens": self._output_tokens}
        known["error"] = str(self._failure) if self._failure else None
        known["status"] = self._failure.status if self._failure else int(HTTPStatus.OK)
        return dict.fromkeys(REPORTED) | known | self._known()

    @property
    def finish_reason(self) -> str | None:
        """Why the answer ended: "stop", "length", or None before its end and after a failure."""
        return self._finish_reason

    @property
    def stop_reason(self) -> int | str | None:
        """The stop string or stop token id that ended it, None for any other reason."""
        return self._stop_reason

    @property
    def ended(self) -> bool:
        """Whether the last token is here or the stream has failed."""
        return self._over.is_set()

    @property
    def closed(self) -> bool:
        """Whether its prompt is closed, or being closed."""
        return self._finishing

    @property
    def failure(self) -> StreamError | None:
        """Why it failed, None if it has not."""
        return self._failure

    async def wait(self) -> None:
        """Wait until it has ended, whichever way. Tokens stay to be read."""
        await self._over.wait()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        # Shielded: a task that is cancelled once more while it leaves must not leave the request behind.
        await asyncio.shield(self._leave_whole())

    async def _leave_whole(self) -> None:
        try:
            await self.abort()
        finally:
            if self._reading is not None:
                self._reading.cancel()
            await self._leave()

    async def _change(self, mode: str, prompt: Prompt | None, final: bool) -> None:
        async with self._changing:
            self._check_going()
            if not final:
                self._check_unfinished()
            prompt = checked(self.id, prompt)
            first = not self.chunks
            if not prompt:
                if first:
                    raise StreamError(self.id, "the first chunk is empty", "send at least one token")
                if mode == "update" and prompt is not None:
                    raise StreamError(self.id, "an update to an empty prompt", "send at least one token")
                if not final:
                    return
            if first:
                await self._begin(mode, prompt, final)
            else:
                await self._send(mode, prompt or [], final)

    async def _begin(self, mode: str, prompt: Prompt, final: bool) -> None:
        self._opened = True
        try:
            await self._open(mode, prompt, final)
        except StreamError:
            self._opened = False
            raise
        except BaseException:  # cancelled halfway: the engine may have it, and nobody would ever read it
            cancelled = StreamError(self.id, "was cancelled while it opened", "open a new stream")
            await asyncio.shield(self.abort(cancelled))
            raise
        if self.ended:  # aborted meanwhile, by another task: what it ended was not there yet
            await self._abort()
        self._reading = asyncio.create_task(self._read())

    async def _finish(self, prompt: Prompt | None, mode: str) -> AsyncIterator[Token]:
        await self._close(prompt, mode)
        async for delta in self.deltas():
            for token in delta.tokens():
                yield token

    async def _close(self, prompt: Prompt | None, mode: str) -> None:
        try:
            if mode not in MODES:
                raise StreamError("mode", f"{mode!r} is unknown", nearest(str(mode), MODES))
            await self._change(mode, prompt, final=True)
        except StreamError:
            self._finishing = False  # nothing was closed: the caller may finish with something better
            raise

    async def _next(self) -> Delta | None:
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self._arrived.get()
        except TimeoutError:
            late = StreamError(
                self.id, f"no token for {self.timeout_s:g} s", "raise timeout_s", HTTPStatus.GATEWAY_TIMEOUT
            )
            await self.abort(late)
            raise late from None

    async def _read(self) -> None:
        """Take the answer as it comes, so that a failure is known before the next chunk is sent."""
        try:
            async for delta in self._deltas():
                self._output_tokens += len(delta.token_ids)
                if delta.finish_reason is not None:
                    self._finish_reason, self._stop_reason = delta.finish_reason, delta.stop_reason
                if delta.report is not None:
                    self._report = delta.report
                self._arrived.put_nowait(delta)
        except StreamError as error:
            self._end(error)
        except Exception as error:
            self._end(StreamError(self.id, f"{type(error).__name__}: {error}", "see the server's log", 500))
        else:
            self._end(None)

    def _end(self, failure: StreamError | None) -> None:
        if self.ended:
            return
        self._over.set()
        self._failure = failure
        if failure is not None:
            self._finish_reason = None
        self._arrived.put_nowait(None)

    def _check_going(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self.ended:
            raise StreamError(self.id, "has finished", "open a new stream", HTTPStatus.CONFLICT)

    def _check_unfinished(self) -> None:
        if self._finishing:
            raise StreamError(
                self.id, "its prompt is closed: finish came before", "open a new stream", HTTPStatus.CONFLICT
            )

    def _known(self) -> dict:
        """What a subclass knows of the report without the engine."""
        return {}

    @abstractmethod
    async def _open(self, mode: str, prompt: Prompt, final: bool) -> None:
        """Bring the first chunk and count it in `chunks`. Raises StreamError; then nothing was opened."""

    @abstractmethod
    async def _send(self, mode: str, prompt: Prompt, final: bool) -> None:
        """Bring a later chunk; an empty prompt only closes. Raises StreamError; then nothing was sent.

        It is counted in `chunks` just before it goes out, so that a caller who is cancelled while it does
        leaves the stream usable.
        """

    @abstractmethod
    def _deltas(self) -> AsyncIterator[Delta]:
        """The answer, from the first chunk on. Raises StreamError."""

    @abstractmethod
    async def _abort(self) -> None:
        """End the request in the engine."""

    async def _leave(self) -> None:  # noqa: B027  (many have nothing to give back)
        """Give back what the stream holds: connections."""


REPORTED = (
    "stream",
    "error",
    "status",
    "opened_s",
    "handed_over_s",
    "last_chunk_s",
    "first_token_s",
    "finished_s",
    "prompt_tokens",
    "output_tokens",
    "computed_tokens",
    "invalidated_tokens",
    "preemptions_recompute",
    "preemptions_swap",
    "chunks",
    "events",
)


def checked(place: str, prompt: object) -> str | list[int] | None:
    """A prompt that is text, a list of token ids, or None; StreamError for anything else.

    Whether the model has the ids is the server's to say.
    """
    if isinstance(prompt, str) and not is_text(prompt):
        raise StreamError(place, "a prompt with half a character (a lone surrogate)", "send whole characters")
    if prompt is None or isinstance(prompt, str):
        return prompt
    if isinstance(prompt, bytes | bytearray | dict) or not isinstance(prompt, Sequence):
        try:
            prompt = prompt.tolist()  # arrays and tensors
        except AttributeError:
            prompt = None
        if not isinstance(prompt, list):
            raise StreamError(place, "a prompt that is neither text nor token ids", "give str or list of int")
    for position, id in enumerate(prompt):
        if type(id) is not int or id < 0:
            shown = repr(id) if len(repr(id)) <= 40 else type(id).__name__
            raise StreamError(
                place, f"{shown} at position {position} is no token id", "token ids are whole numbers from 0"
            )
    return list(prompt)
