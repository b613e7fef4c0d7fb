"""Token ids for prompts of which only the lengths are known: just the prefix that a chunk keeps is kept."""


class PromptIds:
    """One prompt, as stretches of equal ids: its memory grows with its chunks, not with its tokens.

    An id says nothing but where a chunk changed the prompt; ids are 1..255.
    """

    __slots__ = ("_next", "_stretches", "tokens")

    def __init__(self):
        self.tokens = 0
        self._stretches: list[tuple[int, int]] = []  # (tokens, id)
        self._next = 1

    def change(self, tokens: int, common_prefix_tokens: int) -> None:
        """Be `tokens` long, of which the first so many are as before and the next one, if any, is not."""
        replaced = self._cut(common_prefix_tokens)
        if tokens > common_prefix_tokens:
            if self._next == replaced:
                self._next = self._next % 255 + 1
            self._stretches.append((tokens - common_prefix_tokens, self._next))
            self._next = self._next % 255 + 1
        self.tokens = tokens

    def ids(self, start: int = 0) -> list[int]:
        """The ids from position `start` on."""
        found, at = [], self.tokens
        for tokens, number in reversed(self._stretches):
            at -= tokens
            found.append([number] * (tokens - max(0, start - at)))
            if at <= start:
                break
        return [number for stretch in reversed(found) for number in stretch]

    def _cut(self, tokens: int) -> int | None:
        """Keep the first so many; returns the id that stood behind them."""
        replaced = None
        excess = self.tokens - tokens
        while excess > 0:
            length, replaced = self._stretches.pop()
            if length > excess:
                self._stretches.append((length - excess, replaced))
            excess -= length
        return replaced
