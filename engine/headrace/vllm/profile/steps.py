"""The measurements of a profile, on an engine that makes a step when it is told to.

Contexts are those of open streams: an update that keeps a context and brings new tokens makes a step of
exactly these tokens after exactly that context, again and again. Decodes are requests that sample.
"""

import random
import time
from collections.abc import Callable, Sequence
from itertools import count

from vllm import SamplingParams

from headrace.perf.profiler.grid import DROPPED, REPEATS, STEP_DROPPED, STEP_REPEATS
from headrace.vllm.chunk import Chunk
from headrace.vllm.private import SteppedEngine
from headrace.vllm.profile.grid import AHEAD, MIXED_CONTEXT
from headrace.vllm.swap import time_copies

Step = tuple[int, int, int, list[float]]
"""Requests, new tokens of each, tokens of context of each, seconds of the repeats that count."""
Mixed = tuple[int, int, int, list[float]]
"""New tokens of one request without context, decodes beside it, their context, seconds likewise."""


class Measuring:
    """Makes steps of wanted shapes and times them: from scheduling to the tokens, on the host's clock.

    vocabulary: ids that prompts are made of. Between two measurements the engine is empty. RuntimeError
    when the engine makes another step than was wanted.
    """

    def __init__(self, engine: SteppedEngine, vocabulary: range):
        self.engine, self.vocabulary = engine, vocabulary
        self.random, self.ids = random.Random(0), count()
        self.prompts: dict[str, list[int]] = {}  # of the live streams
        self.chunks: dict[str, int] = {}

    def warm_up(self) -> None:
        """Steps of several sizes, so that kernels are compiled and memory is there before anything counts."""
        budget = self.engine.scheduler.limits.token_budget
        for tokens in sorted({1, 16, 256, budget // 2, budget}):
            self.recompute(min(tokens, self.engine.scheduler.max_model_len - 2), repeats=2, dropped=0)

    def recompute(self, tokens: int, repeats: int = REPEATS, dropped: int = DROPPED) -> list[float]:
        """Seconds of computing so many tokens from nothing, in as many steps as it takes."""
        seconds = []
        for _ in range(repeats):
            stream = self._open(tokens)
            seconds.append(self._run([stream], tokens))
            self._drop([stream])
        return seconds[dropped:]

    def prefills(self, context: int, new_tokens: Sequence[int]) -> list[Step]:
        """A step of one request for each of `new_tokens` after `context`."""
        steps = []
        if not context:
            for tokens in new_tokens:
                seconds = self.recompute(tokens, STEP_REPEATS, STEP_DROPPED)
                steps.append((1, tokens, 0, seconds))
            return steps
        stream = self._open(context)
        self._run([stream], context)
        for tokens in new_tokens:
            seconds = []
            for _ in range(STEP_REPEATS):
                self._update(stream, context, tokens)
                seconds.append(self._step({stream: tokens}))
            steps.append((1, tokens, context, seconds[STEP_DROPPED:]))
        self._drop([stream])
        return steps

    def decodes(self, context: int, requests: Sequence[int]) -> list[Step]:
        """A step in which so many requests sample a token, for each of `requests`, descending."""
        live, steps = self._decoding(context, requests[0]), []
        for n in requests:
            self._abort(live[n:])
            del live[n:]
            contexts, seconds = [], []
            for _ in range(STEP_REPEATS):
                contexts.append(self._context(live))
                seconds.append(self._step(dict.fromkeys(live, 1)))
            steps.append((n, 1, contexts[-1], seconds[STEP_DROPPED:]))
        self._drop(live)
        return steps

    def mixed(self, shapes: Sequence[tuple[int, int]]) -> list[Mixed]:
        """Steps of a prefill of n tokens beside d decodes, for each (n, d)."""
        steps = []
        for n, d in shapes:
            live, seconds = self._decoding(MIXED_CONTEXT, d), []
            for _ in range(STEP_REPEATS):
                context = self._context(live)
                stream = self._open(n)
                seconds.append(self._step({stream: n, **dict.fromkeys(live, 1)}))
                self._abort([stream])
            steps.append((n, d, context, seconds[STEP_DROPPED:]))
            self._drop(live)
        return steps

    def swaps(self, blocks: int) -> dict[str, list[float]]:
        """Seconds of moving so many blocks "out" and "in", those of the slowest worker."""
        of_workers = self.engine.on_workers(time_copies, blocks, REPEATS)
        return {
            direction: [
                max(repeat) for repeat in zip(*(seconds[direction] for seconds in of_workers), strict=True)
            ][DROPPED:]
            for direction in ("out", "in")
        }

    def _decoding(self, context: int, requests: int) -> list[str]:
        """Requests with `context` computed tokens each, about to sample their second token."""
        live = [self._open(context) for _ in range(requests)]
        self._run(live, context)
        for stream in live:
            self._send(stream, [0], Chunk(stream=stream, index=self.chunks[stream], final=True, empty=True))
        self._step(dict.fromkeys(live, 1))
        return live

    def _context(self, live: Sequence[str]) -> int:
        """How many tokens each of them has computed."""
        (context,) = {self.engine.scheduler.served[id].computed for id in live}
        return context

    # A stream of n + 1 tokens computes n of them while it is open.

    def _open(self, tokens: int) -> str:
        id = f"profile-{next(self.ids)}"
        self.chunks[id] = 0
        self.prompts[id] = self.random.choices(self.vocabulary, k=tokens + 1)
        self._send(id, self.prompts[id], Chunk(stream=id, index=0))
        return id

    def _update(self, id: str, context: int, tokens: int) -> None:
        """Keep `context` tokens, and not one more by chance."""
        old = self.prompts[id]
        first = self.random.choice([token for token in self.vocabulary[:3] if token != old[context]])
        new = [*old[:context], first, *self.random.choices(self.vocabulary, k=tokens)]
        self.prompts[id] = new
        self._send(id, new, Chunk(stream=id, index=self.chunks[id], mode="update"))

    def _send(self, id: str, tokens: list[int], chunk: Chunk) -> None:
        params = SamplingParams(
            max_tokens=AHEAD,
            temperature=0.0,
            ignore_eos=True,
            detokenize=False,
            extra_args=chunk.extra_args(),
        )
        self.engine.send(f"{id}#{chunk.index}" if chunk.index else id, tokens, params)
        self.chunks[id] += 1

    def _run(self, ids: Sequence[str], tokens: int) -> float:
        """Steps until each has computed so many tokens; their seconds."""
        seconds = 0.0
        while self.engine.scheduler.has_unfinished_requests():
            started = time.perf_counter()
            self.engine.step()
            seconds += time.perf_counter() - started
        for id in ids:
            if self.engine.scheduler.served[id].computed != tokens:
                raise RuntimeError(f"{self.engine.scheduler.served[id]}: {tokens} tokens should be computed")
        return seconds

    def _step(self, wanted: dict[str, int]) -> float:
        """One step; its seconds."""
        made = {}

        def observe(plan, output) -> None:
            made.update(output.num_scheduled_tokens)

        self.engine.scheduler.observe = observe
        started = time.perf_counter()
        self.engine.step()
        seconds = time.perf_counter() - started
        self.engine.scheduler.observe = None
        if made != wanted:
            raise RuntimeError(f"the engine computed {made}, not {wanted}")
        return seconds

    def _abort(self, ids: Sequence[str]) -> None:
        self.engine.abort(ids)
        for id in ids:
            del self.prompts[id], self.chunks[id]

    def _drop(self, ids: Sequence[str]) -> None:
        """Abort the last ones, and let the workers know."""
        self._abort(ids)
        while self.engine.scheduler.has_requests():
            self.engine.step()


def measure(
    engine: SteppedEngine, grid, block_size: int, vocabulary: range, kept, advance: Callable[[str], None]
) -> dict[str, list]:
    """Everything on the grid: {"recompute": [[tokens, seconds of the repeats]], "step": [Step], "mixed":
    [Mixed], "swap": [[tokens, seconds out, seconds in]]}.

    kept(key, measure) gives what was measured under that key before, or measures it and keeps it.
    """
    measuring = Measuring(engine, vocabulary)
    measuring.warm_up()
    done = {"recompute": [], "step": [], "mixed": [], "swap": []}

    def swap(tokens: int) -> list:
        seconds = measuring.swaps(-(-tokens // block_size))
        return [tokens, seconds["out"], seconds["in"]]

    def count_of(section: str, measurements: int) -> None:
        for _ in range(measurements):
            advance(section)

    # What takes most memory first: what fails for lack of it fails before minutes have passed.
    for tokens in reversed(grid.swap):
        done["swap"].insert(0, kept(f"swap of {tokens}", lambda n=tokens: swap(n)))
        count_of("swap", 2)
    for tokens in reversed(grid.recompute):
        done["recompute"].insert(
            0, kept(f"recompute of {tokens}", lambda n=tokens: [n, measuring.recompute(n)])
        )
        count_of("recompute", 1)
    for context, new in grid.prefills.items():
        done["step"] += kept(f"prefills after {context}", lambda c=context, n=new: measuring.prefills(c, n))
        count_of("prefill", len(new))
    for context, requests in grid.decodes.items():
        done["step"] += kept(
            f"decodes after {context}", lambda c=context, r=requests: measuring.decodes(c, r)
        )
        count_of("decode", len(requests))
    done["mixed"] = kept("mixed", lambda: measuring.mixed(grid.mixed))
    count_of("mixed", len(grid.mixed))
    return done
