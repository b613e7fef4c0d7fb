"""What a finished stream gives back: tokens one by one, or the whole completion."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Token:
    """One sampled token.

    `text` is what it adds to the completion. It is empty where text has to wait for the next token (half
    a UTF-8 character, the beginning of a stop string) or where several tokens came at once: the last of
    them has the text of all. `id` is None for text that was held back when the last token came.
    """

    id: int | None
    text: str


@dataclass(frozen=True, slots=True)
class Delta:
    """One piece of an answer on its way: some tokens and their text; the last piece says how it ended."""

    token_ids: tuple[int, ...] = ()
    text: str = ""
    finish_reason: str | None = None
    stop_reason: int | str | None = None
    report: dict | None = None

    def tokens(self) -> list[Token]:
        """Its tokens; the text of all of them is on the last one."""
        if not self.token_ids:
            return [Token(None, self.text)] if self.text else []
        *first, last = self.token_ids
        return [*(Token(id, "") for id in first), Token(last, self.text)]


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer. `report` counts and times what the engine did for it (see `Stream.report`)."""

    text: str
    token_ids: list[int]
    finish_reason: str | None
    stop_reason: int | str | None = None
    report: dict = field(default_factory=dict)
