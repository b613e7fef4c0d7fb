"""What a profile of a running engine measures: arithmetic only."""

from dataclasses import asdict, dataclass
from itertools import product

from headrace.errors import HeadraceError
from headrace.perf.documents import MEASURED_TOKENS
from headrace.perf.profiler.grid import (
    DECODE_CONTEXTS,
    DECODE_REQUESTS,
    PREFILL_CONTEXTS,
    PREFILL_TOKENS,
    SHORT_PREFILLS,
    SPARSEST,
)

MIXED_TOKENS, MIXED_DECODES = (128, 512, 2048), (4, 32, 128)
"""Steps of a prefill beside decodes; no fit looks at them."""
MIXED_CONTEXT = 512
"""Of the decodes in mixed steps."""
AHEAD = 64
"""Tokens that requests sample while decodes of them are timed, at most."""


@dataclass(frozen=True, slots=True)
class Room:
    """What the engine was given; in tokens, requests and KV blocks."""

    token_budget: int
    slots: int
    blocks: int
    host_blocks: int
    block_size: int
    max_model_len: int

    def fits(self, requests: int, tokens: int) -> bool:
        """Whether so many requests of so many tokens, and the one sampled or held back, can be resident."""
        blocks = -(-(tokens + 1) // self.block_size)
        return (
            requests <= self.slots and requests * blocks <= self.blocks and tokens + 2 <= self.max_model_len
        )


@dataclass(frozen=True, slots=True)
class Grid:
    """The steps and copies of one profile, so ordered that a context is computed once."""

    recompute: tuple[int, ...]
    """Tokens computed from nothing, in as many steps as the token budget makes of them."""
    prefills: dict[int, tuple[int, ...]]
    """By context: new tokens of one request."""
    decodes: dict[int, tuple[int, ...]]
    """By context: requests that get a token each, descending."""
    mixed: tuple[tuple[int, int], ...]
    """New tokens of one request without context, and decodes beside it."""
    swap: tuple[int, ...]
    """Tokens whose blocks are moved."""
    left_out: dict[str, list]
    """What the engine has no room for, by section."""

    @property
    def measurements(self) -> int:
        """Points measured: a series of steps, a step, or a copy in one direction."""
        steps = sum(map(len, self.prefills.values())) + sum(map(len, self.decodes.values()))
        return len(self.recompute) + steps + len(self.mixed) + 2 * len(self.swap)

    def as_dict(self) -> dict:
        """For a file that says what was measured."""
        return asdict(self)


def make_grid(room: Room, place: object) -> Grid:
    """All that the engine has room for. Raises HeadraceError when that is too little for the fits."""
    recompute = [n for n in MEASURED_TOKENS if room.fits(1, n)]
    swap = [n for n in MEASURED_TOKENS if -(-n // room.block_size) <= min(room.blocks, room.host_blocks)]
    if len(recompute) < SPARSEST or len(swap) < SPARSEST:
        raise HeadraceError(
            place,
            f"an engine of {room.blocks} KV blocks and {room.host_blocks} host blocks of {room.block_size} "
            f"tokens and requests of {room.max_model_len} tokens is too small to be profiled",
            f"room for {MEASURED_TOKENS[SPARSEST - 1] + 2} tokens of each",
        )
    short = sorted({*SHORT_PREFILLS, *MEASURED_TOKENS, room.token_budget})
    prefills = [(0, n) for n in short if n <= MEASURED_TOKENS[-1]]
    # A context ends with a block: updates cut the KV cache to whole ones.
    contexts = [context for context in PREFILL_CONTEXTS if context % room.block_size == 0]
    prefills += product(contexts, (*PREFILL_TOKENS, room.token_budget))
    prefills = sorted(set(prefills))
    decodes = list(product(DECODE_CONTEXTS, reversed(DECODE_REQUESTS)))
    mixed = list(product(MIXED_TOKENS, MIXED_DECODES))

    def prefill_fits(shape: tuple[int, int]) -> bool:
        context, n = shape
        return n <= room.token_budget and room.fits(1, context + n)

    def decode_fits(shape: tuple[int, int]) -> bool:
        context, requests = shape
        return requests <= room.token_budget and room.fits(requests, context + AHEAD)

    def mixed_fits(shape: tuple[int, int]) -> bool:
        n, requests = shape
        return n + requests <= room.token_budget and room.fits(
            requests + -(-n // MIXED_CONTEXT), MIXED_CONTEXT
        )

    return Grid(
        recompute=tuple(recompute),
        prefills=_grouped([shape for shape in prefills if prefill_fits(shape)]),
        decodes=_grouped([shape for shape in decodes if decode_fits(shape)]),
        mixed=tuple(shape for shape in mixed if mixed_fits(shape)),
        swap=tuple(swap),
        left_out={
            "recompute": [n for n in MEASURED_TOKENS if n not in recompute],
            "prefill": [list(shape) for shape in prefills if not prefill_fits(shape)],
            "decode": [list(shape) for shape in decodes if not decode_fits(shape)],
            "mixed": [list(shape) for shape in mixed if not mixed_fits(shape)],
            "swap": [n for n in MEASURED_TOKENS if n not in swap],
        },
    )


def _grouped(shapes: list[tuple[int, int]]) -> dict[int, tuple[int, ...]]:
    """(a, b), ... as {a: (b, ...)}."""
    groups: dict[int, list[int]] = {}
    for a, b in shapes:
        groups.setdefault(a, []).append(b)
    return {a: tuple(of_a) for a, of_a in groups.items()}
