"""Random prompts that stream: appended, updated, both, or whole at once; what should come out at the end.

A case's chunks lead to its prompt by any way: noise that a later update corrects, updates that shrink the
prompt, a close without tokens. The answer depends on the final prompt only.
"""

import random
from dataclasses import dataclass

from model import VOCABULARY

KINDS = ("append", "update", "mixed", "plain")
SHORTEST, LONGEST, MOST_CHUNKS, MOST_OUTPUT = 40, 1900, 9, 8
FAMILIES = 3  # of prompts with the same beginning, for the prefix cache


@dataclass(frozen=True)
class Piece:
    """One chunk, `delay_steps` after the one before it."""

    mode: str
    tokens: tuple[int, ...]
    delay_steps: int
    final: bool


@dataclass(frozen=True)
class Case:
    """kind: one of KINDS; cancel_after: steps after its opening at which the client gives up, or None."""

    kind: str
    prompt: tuple[int, ...]
    pieces: tuple[Piece, ...]
    output_tokens: int
    cancel_after: int | None = None


class Cases:
    """A source of cases; the same seed gives the same. `shared` of the prompts begin like others do."""

    def __init__(self, seed: int, shared: float = 0.5):
        self.draw, self.shared = random.Random(seed), shared
        self.families = [self.noise(LONGEST) for _ in range(FAMILIES)]

    def noise(self, count: int) -> tuple[int, ...]:
        return tuple(self.draw.choices(range(1, VOCABULARY), k=count))

    def prompt(self) -> tuple[int, ...]:
        draw = self.draw
        length = draw.randint(SHORTEST, LONGEST)
        common = draw.randint(0, length) if draw.random() < self.shared else 0
        return draw.choice(self.families)[:common] + self.noise(length - common)

    def case(self, prompt: tuple[int, ...], output_tokens: int, cancelled: float = 0.0) -> Case:
        """One way to get there; with probability `cancelled` it is given up on it."""
        draw = self.draw
        kind = draw.choice(KINDS)
        steps = [("append", prompt)] if kind == "plain" else self.way(kind, prompt)
        if kind != "plain" and draw.random() < 0.3:
            steps.append(("append", ()))
        delays = [draw.choice((0, 1, 2, 5, 10, 20)) for _ in steps]
        last = len(steps) - 1
        pieces = tuple(
            Piece(mode, tokens, delay, index == last)
            for index, ((mode, tokens), delay) in enumerate(zip(steps, delays, strict=True))
        )
        give_up = draw.randint(0, sum(delays) + 12) if draw.random() < cancelled else None
        return Case(kind, prompt, pieces, output_tokens, give_up)

    def way(self, kind: str, prompt: tuple[int, ...]) -> list[tuple[str, tuple[int, ...]]]:
        """Chunks that lead to `prompt`; the closing one may follow them."""
        draw = self.draw
        cuts = draw.sample(range(1, len(prompt)), draw.randint(0, MOST_CHUNKS - 4))
        cuts = [*sorted(cuts), len(prompt)]
        now, chunks = (), []
        if kind != "append" and draw.random() < 0.5:
            # What others begin with too, and goes on longer than the prompt does: the update that corrects
            # it ends amid a block that they may share.
            now = self.family_of(prompt)[: draw.randint(SHORTEST, LONGEST)]
            chunks.append(("append", now))
        for cut in cuts:
            updates = kind == "update" or (kind == "mixed" and draw.random() < 0.4)
            if chunks and (updates or now != prompt[: len(now)] or len(now) >= cut):
                now = prompt[:cut] if draw.random() < 0.5 else self.astray(prompt, cut)
                chunks.append(("update", now))
            else:
                more = prompt[len(now) : cut]
                if kind != "append" and draw.random() < 0.3:
                    more = self.noise(len(more))
                now += more
                chunks.append(("append", more))
        if now != prompt:
            chunks.append(("update", prompt))
        return chunks

    def family_of(self, prompt: tuple[int, ...]) -> tuple[int, ...]:
        """The family whose beginning it has, any if none."""
        return max(self.families, key=lambda family: family[:1] == prompt[:1])

    def astray(self, prompt: tuple[int, ...], cut: int) -> tuple[int, ...]:
        """A prompt that a later update corrects, often shorter than the one before."""
        shorter = prompt[: self.draw.randint(0, cut)]
        return shorter + self.noise(self.draw.randint(1, 100))
