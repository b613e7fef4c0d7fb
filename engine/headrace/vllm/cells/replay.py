"""The replay client on a real engine: chunks of a workload at their times, answers on the client's clock.

One event loop hands chunks over, one after the other, as the published client did and the simulated one
does (headrace.sim.client); what is due while it is busy waits, and that lateness is recorded.
"""

import asyncio
import time
from collections.abc import Callable, Iterator

import numpy as np
import polars as pl
from vllm.v1.engine.async_llm import AsyncLLM

from headrace.errors import HeadraceError
from headrace.replay import Replay
from headrace.vllm.cells.engine import sampling
from headrace.vllm.cells.replay_log import Answer, ReplayLog
from headrace.vllm.cells.settings import words_of
from headrace.vllm.chunk import KEY, Chunk
from headrace.vllm.private import chunk_request, open_request, send
from headrace.workload.token_ids import prompts, token_ids

LEAD_S = 0.25
"""From the start of the clock to the time that the workload calls 0, for tasks to be set up."""
STALL_S = 600.0
"""Without an answer for so long, with whole prompts waiting, the engine has stopped."""
TELL_S = 60.0
"""Between two lines of progress."""


def messages(
    table: pl.DataFrame, world: int, stream: bool, vocabulary: range, template_tokens: int, seed: int
) -> Iterator[np.ndarray]:
    """The token ids of every chunk that a Replay of this world hands over, in its order (int32).

    An append carries its new tokens, an update the whole prompt; not streaming, the whole prompt goes at the
    end.
    """
    rows = table.filter(pl.col("world") == world).select("mode", "common_prefix_tokens").to_numpy()
    at = 0
    for _, chunks in token_ids(table, world, vocabulary, template_tokens, seed):
        modes, kept = rows[at : at + len(chunks)].T.tolist()
        at += len(chunks)
        whole = prompts(chunks, kept)
        if not stream:
            *_, last = whole
            yield last
            continue
        for mode, new, prompt in zip(modes, chunks, whole, strict=True):
            yield new if mode == "append" else prompt


class ReplayClient:
    """Sends one world to an engine and collects what comes back.

    texts: the message of every chunk, in the Replay's order; modes: append or update, likewise; place names
    the world in errors; tell(text), if given, hears of the progress every minute.
    """

    def __init__(
        self,
        engine: AsyncLLM,
        replay: Replay,
        texts: list[np.ndarray],
        modes: list[str],
        place: object,
        tell: Callable[[str], None] | None = None,
    ):
        self.engine, self.replay, self.place, self.tell = engine, replay, place, tell
        self.texts, self.modes = texts, modes
        self.due_s = replay.arrival_s[replay.query] + replay.offset_s
        self.began_s, self.returned_s = np.full((2, len(self.due_s)), np.nan)
        self.answers = [Answer() for _ in replay.ids]
        self.index = np.arange(len(replay.query)) - (np.cumsum(replay.chunks) - replay.chunks)[replay.query]
        self.finished = 0
        self.done = asyncio.Event()
        self.name = (
            f"{time.time_ns():x}"  # an engine serves many replays: streams of two must not be mixed up
        )

    async def run(self) -> ReplayLog:
        """Replay to the last answer.

        Raises HeadraceError that names the request which the engine refused or could not serve, and when
        whole prompts have waited for ten minutes in which nothing was answered.
        """
        self.loop = asyncio.get_running_loop()
        self.start = self.loop.time() + LEAD_S
        engine_s = time.time() + self.start - self.loop.time()
        self.answered_s = 0.0  # when an answer last came
        try:
            async with asyncio.TaskGroup() as self.tasks:
                watch = self.tasks.create_task(self._watch())
                await self._send_all()
                await self.done.wait()
                watch.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from group
        return ReplayLog(self.due_s, self.began_s, self.returned_s, self.answers, engine_s, self.now())

    def now(self) -> float:
        """Seconds since the workload's time 0."""
        return self.loop.time() - self.start

    async def _send_all(self) -> None:
        for row in np.argsort(self.due_s, kind="stable").tolist():
            # Also when it is late: answers are taken in between.
            await asyncio.sleep(max(self.due_s[row] - self.now(), 0.0))
            self.began_s[row] = self.now()
            await self._send(row)
            self.returned_s[row] = self.now()

    async def _send(self, row: int) -> None:
        query = int(self.replay.query[row])
        tokens = self.texts[row].tolist()
        chunk = Chunk(
            stream=f"{self.name}-{self.replay.ids[query]}",
            index=int(self.index[row]),
            mode=self.modes[row] if self.index[row] else "append",
            final=bool(self.replay.final[row]),
            empty=not tokens,
        )
        try:
            if chunk.index:
                name = f"{chunk.stream}-{chunk.index}"
                request = await chunk_request(self.engine, name, tokens or [0], chunk.extra_args())
                await send(self.engine, request)
                return
            params = sampling(int(self.replay.output_tokens[query]), chunk.extra_args())
            answers = await open_request(self.engine, chunk.stream, tokens, params)
        except Exception as error:  # A dead engine, or whatever its front-end does not take.
            raise self._fault(query, error) from error
        self.tasks.create_task(self._collect(query, answers))

    async def _collect(self, query: int, answers) -> None:
        """Take what comes back for one query, until its last output."""
        answer = self.answers[query]
        done = False
        while not done:
            try:
                output = await answers.get()
            except Exception as error:
                raise self._fault(query, error) from error
            now = self.answered_s = self.now()
            done = output.finished
            new = sum(len(each.token_ids) for each in output.outputs)
            if new and answer.first_token_s is None:
                answer.first_token_s = now
            answer.tokens += new
        answer.finished_s = now
        answer.report = (output.kv_transfer_params or {}).get(KEY, {})
        self._check(query, answer)
        self.finished += 1
        if self.finished == len(self.answers):
            self.done.set()

    def _check(self, query: int, answer: Answer) -> None:
        """Raise HeadraceError unless the request was served as the workload says."""
        request = f"{self.place}, request {self.replay.ids[query]}"
        if answer.report.get("error"):
            raise HeadraceError(request, answer.report["error"], "a study's cell loses no request")
        last = np.flatnonzero(self.replay.query == query)[-1]
        expected = int(self.replay.prompt_tokens[last]), int(self.replay.output_tokens[query])
        found = answer.report.get("prompt_tokens"), answer.tokens
        if found != expected:
            raise HeadraceError(
                request,
                f"the engine served {found[0]} prompt tokens and sampled {found[1]}, the workload has"
                f" {expected[0]} and {expected[1]}",
                "this is an error of headrace: report it with the configuration",
            )

    async def _watch(self) -> None:
        """Tell how far it is; raise HeadraceError when answers are due and none comes any more."""
        told_s = 0.0
        while True:
            await asyncio.sleep(1.0)
            now = self.now()
            if self.tell and now - told_s >= TELL_S:
                told_s = now
                self.tell(f"{now:,.0f} s: {self.finished:,} of {len(self.answers):,} requests finished")
            if now - self.answered_s > STALL_S and (waiting := self._waiting_since(now - STALL_S)):
                raise HeadraceError(
                    f"{self.place}, request {self.replay.ids[waiting[0]]}",
                    f"no answer for {STALL_S:,.0f} s, {len(waiting)} whole prompts wait",
                    "see the engine's words above",
                )

    def _waiting_since(self, before_s: float) -> list[int]:
        """Queries handed over whole before that time and not answered."""
        whole = self.replay.query[self.replay.final & (self.returned_s < before_s)]
        return [query for query in whole.tolist() if self.answers[query].finished_s is None]

    def _fault(self, query: int, error: Exception) -> HeadraceError:
        if isinstance(error, HeadraceError):
            return error
        return HeadraceError(
            f"{self.place}, request {self.replay.ids[query]}", words_of(error), "see the engine's words above"
        )


def _first(group: BaseExceptionGroup) -> BaseException:
    """The cause among errors that came together: one with a line for the user, if there is one."""
    leaves = [*_leaves(group)]
    return next((error for error in leaves if isinstance(error, HeadraceError)), leaves[0])


def _leaves(group: BaseExceptionGroup) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
