"""What a profile measures, what of it fits the memory, and how long that takes: arithmetic only."""

from dataclasses import dataclass
from itertools import product

from headrace.errors import HeadraceError
from headrace.perf.architecture import Model
from headrace.perf.documents import BLOCK_TOKENS, MEASURED_TOKENS
from headrace.perf.hardware import Hardware
from headrace.perf.profiler.devices import Room

Shape = tuple[int, int, int]
"""Requests, new tokens of each, tokens of context of each."""

SHORT_PREFILLS = tuple(sorted({2, 4, 8, *(3 * 2**power for power in range(3, 14))}))
"""Without context, between the powers of two, which the recomputations measure."""
PREFILL_TOKENS = (16, 64, 256, 512, 1024, 2048, 4096, 8192, 16384)
PREFILL_CONTEXTS = (128, 1024, 4096, 16384, 32768, 65536, 98304)
DECODE_REQUESTS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
DECODE_CONTEXTS = (128, 512, 1024, 4096, 16384, 65536)

REPEATS, DROPPED = 7, 2
"""Of recomputations and swaps, as published; the first ones are warm-up."""
STEP_REPEATS, STEP_DROPPED = 4, 1
GRAPH_TOKENS = 8192
"""Passes up to here are replayed from a CUDA graph; above, the GPU is slower than Python launches."""
SPARSEST = 3
"""Token counts that a degree-2 fit needs."""

DENSE_SHARE, ATTENTION_SHARE, MEMORY_SHARE = 0.55, 0.35, 0.6
"""Of the data sheet's peaks, assumed for the estimate of the time and for nothing else."""
HOST_PASS_S, COPY_S, START_S = 0.06, 5e-6, 45.0
"""Assumed likewise: time of a pass in Python, of launching a copy, of weights and pinned memory."""


@dataclass(frozen=True, slots=True)
class Grid:
    """The passes and copies of one profile."""

    recompute: tuple[int, ...]
    """Tokens of one pass without context."""
    steps: tuple[Shape, ...]
    """Further passes, of which the split of a step is fitted."""
    swap: tuple[int, ...]
    """Tokens whose KV blocks are moved."""
    left_out: dict[str, list]
    """What the memory has no room for, by section."""
    pool_tokens: int
    """Tokens of the KV pool, a whole number of blocks."""

    @property
    def measurements(self) -> int:
        """Points measured: each a pass, or a copy of one form and direction."""
        return len(self.recompute) + len(self.steps) + 4 * len(self.swap)


def check_model(model: Model, name: str, tensor_parallel: int, device: str, place: object) -> None:
    """Raise HeadraceError unless all GPUs get the same share of the model and can run its dtype."""
    for size in ("attention_heads", "kv_heads", "intermediate_size", "vocab_size"):
        if getattr(model, size) % tensor_parallel:
            raise HeadraceError(
                f"{place}: key tensor_parallel",
                f"{size} {getattr(model, size)} of {name} can't be divided by {tensor_parallel}",
                "a divisor of it",
            )
    dtypes = ("bfloat16", "float16") if device == "cuda" else ("bfloat16", "float16", "float32")
    if model.dtype not in dtypes:
        raise HeadraceError(
            place, f"{name} in {model.dtype} can't be profiled on {device}", f"one of {', '.join(dtypes)}"
        )


def make_grid(model: Model, tensor_parallel: int, room: Room, place: object) -> Grid:
    """All shapes that the model's context length and the memory allow.

    Each GPU holds its share of the weights (the input embedding whole), a KV pool and, at a time, the
    activations of a pass or the staging buffer of a batched copy. Raises HeadraceError when the weights
    and the three shortest recomputations do not fit.
    """
    kv_bytes = model.kv_bytes_per_token // tensor_parallel
    free_bytes = room.gpu_bytes - weight_bytes(model, tensor_parallel)
    working_bytes = max(activation_bytes(model, tensor_parallel), kv_bytes)
    counts = [n for n in MEASURED_TOKENS if n <= model.max_context_tokens]
    largest = max((n for n in counts if n * (kv_bytes + working_bytes) <= free_bytes), default=0)
    recompute = [n for n in counts if n <= largest]
    if len(recompute) < SPARSEST:
        needed = weight_bytes(model, tensor_parallel) + counts[SPARSEST - 1] * (kv_bytes + working_bytes)
        raise HeadraceError(
            place,
            f"{model.hub_names[0]} needs {_gib(needed)} GiB on each of {tensor_parallel} GPUs, "
            f"{_gib(room.gpu_bytes)} GiB are free",
            "free memory, or more GPUs",
        )
    blocks = (free_bytes - largest * working_bytes) // (kv_bytes * BLOCK_TOKENS)
    limit = blocks * BLOCK_TOKENS

    def fits(shape: Shape) -> bool:
        requests, new, context = shape
        return requests * (new + context) <= limit and requests * new <= largest

    shapes = _shapes(model.max_context_tokens)
    steps = [shape for shape in shapes if fits(shape)]
    swap = [n for n in recompute if pinned_bytes(n * kv_bytes) * tensor_parallel <= room.host_bytes]
    if len(swap) < SPARSEST:
        raise HeadraceError(
            place, f"{_gib(room.host_bytes)} GiB of host memory are too few for swaps", "free memory"
        )
    used = max([*recompute, *(requests * (new + context) for requests, new, context in steps)])
    return Grid(
        recompute=tuple(recompute),
        steps=tuple(steps),
        swap=tuple(swap),
        left_out={
            "recompute": [n for n in counts if n not in recompute],
            "step": [list(shape) for shape in shapes if shape not in steps],
            "swap": [n for n in counts if n not in swap],
        },
        pool_tokens=-(-used // BLOCK_TOKENS) * BLOCK_TOKENS,
    )


def _shapes(max_context_tokens: int) -> list[Shape]:
    """Prefills of one request and decodes of many, as far as the model's context goes."""
    shapes = [(1, n, 0) for n in SHORT_PREFILLS]
    shapes += [(1, n, context) for n, context in product(PREFILL_TOKENS, PREFILL_CONTEXTS)]
    shapes += [(requests, 1, context) for requests, context in product(DECODE_REQUESTS, DECODE_CONTEXTS)]
    return [shape for shape in shapes if shape[1] + shape[2] <= max_context_tokens]


def weight_bytes(model: Model, tensor_parallel: int) -> int:
    """Of one GPU's share: layers and output projection are divided, the input embedding is not."""
    divided = (model.layer_parameters + model.head_parameters) // tensor_parallel
    return model.dtype_bytes * (divided + model.head_parameters)


def pinned_bytes(size_bytes: int) -> int:
    """What torch takes of the host's memory for a pinned buffer: the next power of two."""
    return 1 << (size_bytes - 1).bit_length()


def activation_bytes(model: Model, tensor_parallel: int) -> int:
    """Upper bound of what one token takes on a GPU while it passes through a layer.

    The gated FFN holds three rows of its width; norm and rotary embedding hold up to eight hidden states
    (two of them in float32).
    """
    elements = 3 * model.intermediate_size // tensor_parallel + 8 * model.hidden_size
    return model.dtype_bytes * elements


def expected_s(grid: Grid, hardware: Hardware, model: Model) -> float:
    """Seconds that a profile takes, from the data sheet and the shares assumed above."""
    gpus = hardware.tensor_parallel
    total_s = START_S
    for shape, repeats in [((1, n, 0), REPEATS) for n in grid.recompute] + [
        (shape, STEP_REPEATS) for shape in grid.steps
    ]:
        total_s += _pass_s(shape, hardware, model) / gpus * repeats
        # A graph costs a pass before it and the capture, a pass without graph its launches at most.
        total_s += 2 * HOST_PASS_S
    for tokens in grid.swap:
        copies = 2 * model.layers * -(-tokens // BLOCK_TOKENS)
        moved_s = tokens * model.kv_bytes_per_token / gpus / (hardware.pcie_bytes_per_s * MEMORY_SHARE)
        total_s += 2 * REPEATS * (moved_s + max(moved_s, copies * COPY_S))
    return total_s


def _pass_s(shape: Shape, hardware: Hardware, model: Model) -> float:
    """Seconds of a forward pass on one GPU."""
    requests, new, context = shape
    flop = 2 * model.layer_parameters * requests * new
    weights = model.dtype_bytes * (model.layer_parameters + model.head_parameters)
    pairs = requests * new * (context + new / 2)
    cache = requests * context * model.kv_bytes_per_token
    return (
        max(
            flop / (hardware.flop_per_s * DENSE_SHARE), weights / (hardware.memory_bytes_per_s * MEMORY_SHARE)
        )
        + pairs * model.attention_flop_per_token_pair / (hardware.flop_per_s * ATTENTION_SHARE)
        + cache / (hardware.memory_bytes_per_s * MEMORY_SHARE)
    )


def _gib(size_bytes: int) -> str:
    return f"{size_bytes / 2**30:.1f}"
