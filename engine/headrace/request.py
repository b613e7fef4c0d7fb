"""A request as scheduler and executor see it: token counts, block counts, times."""


class Request:
    """A prompt that may still grow or change while it is served.

    Times are seconds of the executor's clock, None until they happen; sizes are tokens or KV blocks.
    The executor writes the fields; schedulers read them (and own `key`).

    `prompt` counts what the engine has to compute: after the first sampled token it grows by
    one per token. `computed_tokens` counts work done for it in all, recomputation included, while
    `computed` is how far its KV cache reaches now.
    """

    __slots__ = (
        "blocks",
        "closed",
        "computed",
        "computed_tokens",
        "finished_s",
        "first_token_s",
        "handed_over_s",
        "host_blocks",
        "id",
        "invalidated_tokens",
        "key",
        "last_chunk_s",
        "opened_s",
        "output",
        "output_tokens",
        "preemptions_recompute",
        "preemptions_swap",
        "prompt",
    )

    def __init__(self, id: int, output_tokens: int = 1):
        self.id = id
        self.output_tokens = output_tokens  # to sample
        self.output = 0  # sampled so far
        self.prompt = 0  # tokens to compute, as far as known
        self.computed = 0  # of these, in the KV cache (on the GPU, or in host memory when swapped out)
        self.closed = False  # no chunk will follow
        self.blocks = 0  # GPU blocks held
        self.host_blocks = 0  # host blocks held: more than 0 means swapped out
        self.key = None  # where a scheduler's order filed it; None: not in it
        self.opened_s = self.handed_over_s = self.last_chunk_s = None
        self.first_token_s = self.finished_s = None
        self.computed_tokens = 0
        self.invalidated_tokens = 0
        self.preemptions_recompute = 0
        self.preemptions_swap = 0

    def __repr__(self) -> str:
        state = "closed" if self.closed else "open"
        return f"Request({self.id}, {state}, {self.computed}/{self.prompt} tokens, {self.blocks} blocks)"

    def change_prompt(
        self,
        prompt_tokens: int,
        common_prefix_tokens: int,
        final: bool,
        held_tokens: int = 0,
        whole_blocks_of: int | None = None,
    ) -> int | None:
        """Take one chunk: an append keeps the whole old prompt, an update only a common prefix.

        prompt_tokens is the total after it, of which common_prefix_tokens are as before. Computed tokens
        beyond the prefix are invalidated and counted. A stream that closes with nothing left to compute
        gives back its last token, so that a token can be sampled from it (the published engine never
        schedules such a request; not counted as invalidated). held_tokens (0 or 1) at the end of an open
        stream wait until it closes; with whole_blocks_of a block size, what is left of the KV cache is cut
        to whole blocks (both: headrace.scheduling.Limits).

        Returns for how many tokens blocks stay; None: all of them.
        """
        valid = common_prefix_tokens
        if (final or held_tokens) and valid == prompt_tokens:
            valid -= 1
        kept = None
        if self.computed > common_prefix_tokens:
            self.invalidated_tokens += self.computed - common_prefix_tokens
            kept = common_prefix_tokens
        if self.computed > valid:
            self.computed = valid
            if whole_blocks_of:
                kept = self.computed = valid - valid % whole_blocks_of
        self.closed = final
        self.prompt = prompt_tokens if final else prompt_tokens - held_tokens
        return kept
