"""Cases on the engine, many at a time, chunk by chunk and step by step; the answers they should have."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from cases import Case
from engine import BLOCKS, Engine, sampling

STUCK_STEPS = 400  # without any progress, although nobody waits for a chunk


@dataclass
class Outcome:
    """Of cases by their place: tokens and reports of those that finished; the others were cancelled."""

    tokens: dict[int, list[int]] = field(default_factory=dict)
    reports: dict[int, dict] = field(default_factory=dict)
    failed: dict[int, str] = field(default_factory=dict)
    cancelled: int = 0

    def wrong(self, expected: Sequence[Sequence[int]]) -> list[int]:
        """Places of cases with other tokens than expected, or with an error."""
        different = [place for place, tokens in self.tokens.items() if tokens != list(expected[place])]
        return sorted({*different, *self.failed})

    def total(self, key: str) -> int:
        """The sum of a number in the reports."""
        return sum(report[key] for report in self.reports.values())


class Sender:
    """The client of one case."""

    def __init__(self, engine: Engine, name: str, case: Case):
        self.engine, self.name, self.case = engine, name, case
        self.opened, self.sent, self.due = engine.steps, 0, engine.steps

    def move(self) -> bool:
        """Send what is due; False: the client has given up."""
        if self.case.cancel_after is not None and self.engine.steps >= self.opened + self.case.cancel_after:
            if self.sent:
                self.engine.abort(self.name)
            return False
        pieces = self.case.pieces
        while self.sent < len(pieces) and self.engine.steps >= self.due:
            piece = pieces[self.sent]
            if self.case.kind == "plain":
                self.engine.add(self.name, piece.tokens, sampling(self.case.output_tokens))
            elif not self.sent:
                self.engine.open(self.name, piece.tokens, self.case.output_tokens, piece.final)
            else:
                self.engine.send(self.name, self.sent, piece.tokens, piece.mode, piece.final)
            self.sent += 1
            if self.sent < len(pieces):
                self.due = self.engine.steps + pieces[self.sent].delay_steps
        return True


def serve(engine: Engine, cases: Sequence[Case], clients: int) -> Outcome:
    """All cases, so many at a time, on the engine as it is configured."""
    outcome, waiting, live = Outcome(), list(enumerate(cases))[::-1], {}
    idle = 0
    while waiting or live:
        while waiting and len(live) < clients:
            place, case = waiting.pop()
            live[f"case-{place}"] = place, Sender(engine, f"case-{place}", case)
        for name, (_, sender) in list(live.items()):
            if not sender.move():
                outcome.cancelled += 1
                del live[name]
        progress = bool(engine.step())
        for name in [name for name in live if name in engine.finished]:
            place, _ = live.pop(name)
            outcome.reports[place] = engine.reports[name]
            if engine.finished[name] == "length":
                outcome.tokens[place] = engine.tokens[name]
            else:
                outcome.failed[place] = f"{engine.finished[name]}: {engine.reports[name]}"
        idle = 0 if progress or any(s.sent < len(s.case.pieces) for _, s in live.values()) else idle + 1
        assert idle < STUCK_STEPS, f"stuck with {len(live)} requests: {engine.scheduler.requests}"
    return outcome


def answers(
    engine: Engine, prompts: Sequence[Sequence[int]], output_tokens: Sequence[int]
) -> tuple[list[list[int]], list[float]]:
    """Greedy tokens of whole prompts on vLLM's own scheduler, without prefix cache, and by how much (in log
    probability) the closest of them was chosen before the next best."""
    engine.configure(None, BLOCKS - 1)
    for place, (prompt, count) in enumerate(zip(prompts, output_tokens, strict=True)):
        engine.add(str(place), prompt, sampling(count, logprobs=2))
    engine.run(100 * len(prompts))
    names = [str(place) for place in range(len(prompts))]
    return [engine.tokens[name] for name in names], [engine.gaps[name] for name in names]
