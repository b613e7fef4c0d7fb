"""The performance model: how long a step and a swap take on one hardware, model and tensor-parallel size."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.errors import HeadraceError, nearest
from headrace.files import read_json, sha256, write_json
from headrace.perf.costs import Costs, make_costs
from headrace.perf.fit import polynomial_fit
from headrace.perf.hardware import PROVIDERS
from headrace.perf.overheads import Overheads
from headrace.perf.records import at_least, read_record
from headrace.perf.tables import RecomputeTable, StepTable, SwapTable, interpolate

FORMAT = "headrace-perf-model/1"

StepTime = Callable[[list[tuple[Any, int, int]]], float]
"""Seconds of a step from its runs [(request, new tokens, new blocks), ...]."""
SwapTime = Callable[[int], float]
"""Seconds of moving so many KV blocks one way."""


@dataclass(frozen=True, slots=True)
class PerfModel:
    """Tables of one hardware x model x tensor-parallel size, with where they come from.

    The file format is described in docs/performance-models.md. `sha256` covers everything else in the
    file, so that a result names the exact model it was made with.
    """

    format: str
    hardware: str
    gpu: str
    model: str
    dtype: str
    tensor_parallel: int = at_least(1)
    provider: str
    provenance: dict
    step: StepTable
    recompute: RecomputeTable
    swap: SwapTable
    kv_bytes_per_token: int = at_least(1)
    block_bytes: int = at_least(1)
    sha256: str
    swap_per_block: SwapTable | None = None
    """The same moves as `swap`, one copy per layer, K and V, and block. Measured by a profile only; no
    simulated time comes from it, for `swap` and `Overheads.swap_block_s` stand for it."""

    @classmethod
    def load(
        cls, path: str | Path, model: str | None = None, tensor_parallel: int | None = None
    ) -> "PerfModel":
        """Read, check and verify a model; `model` and `tensor_parallel`, where given, must be the file's.

        Raises HeadraceError when the file is missing, cut short, of another format, damaged or edited,
        holds a value that no measurement can have, or is of another model or tensor-parallel size.
        """
        document = read_json(path)
        loaded = cls.from_document(document, path)
        if model is not None and loaded.model != model:
            raise HeadraceError(
                path, f"made for the model {loaded.model}, not for {model}", f"a file made for {model}"
            )
        if tensor_parallel is not None and loaded.tensor_parallel != tensor_parallel:
            raise HeadraceError(
                path,
                f"made for tensor_parallel {loaded.tensor_parallel}, not for {tensor_parallel}",
                f"a file made for tensor_parallel {tensor_parallel}",
            )
        return loaded

    @classmethod
    def from_document(cls, document: object, place: object) -> "PerfModel":
        """Check a parsed file, hash included. Raises HeadraceError as `load` does."""
        if isinstance(document, Mapping) and document.get("format") != FORMAT:
            found = document.get("format", "no format")
            raise HeadraceError(f"{place}: key format", f"{found!r} is not known", f"it must be {FORMAT!r}")
        loaded = read_record(cls, document, place)
        if loaded.provider not in PROVIDERS:
            raise HeadraceError(
                f"{place}: key provider", f"{loaded.provider!r} is none", nearest(loaded.provider, PROVIDERS)
            )
        if not loaded.provenance.get("how"):
            raise HeadraceError(
                f"{place}: key provenance", "it does not say how the tables were made", "give the key 'how'"
            )
        loaded.step.check(f"{place}: key step")
        loaded.recompute.check(f"{place}: key recompute")
        loaded.swap.check(f"{place}: key swap")
        if loaded.swap_per_block is not None:
            loaded.swap_per_block.check(f"{place}: key swap_per_block")
        if loaded.sha256 != _digest(document, place):
            raise HeadraceError(
                f"{place}: key sha256",
                "it does not match the rest of the file, which was edited or damaged",
                "restore the file or regenerate it",
            )
        return loaded

    def step_time(self, overheads: Overheads, max_tokens: int) -> StepTime:
        """A function that gives a step's seconds from its runs [(request, new tokens, new blocks), ...].

        seconds = step_s + request_s * runs + dense_scale * dense(all new tokens)
                  + attention_scale * (attention * sum(n (context + n / 2) over runs of n > 1 tokens)
                                       + decode * sum(context over runs of 1 token))
        where context is `request.computed`, the request's computed tokens before the step. `max_tokens`
        is the token budget, the most new tokens of a step. Raises HeadraceError when the table is
        shorter than that.
        """
        dense = self.step.dense(max_tokens, f"performance model {self.hardware}")
        request_s = overheads.request_s
        pair_s = overheads.attention_scale * self.step.attention_s_per_token_pair
        decode_s = overheads.attention_scale * self.step.decode_s_per_context_token
        launched = [overheads.step_s + overheads.dense_scale * seconds for seconds in dense]
        # A step of one run is the common one; its own table leaves a product and a sum to do.
        alone = [
            seconds + request_s + (pair_s * n * n / 2 if n > 1 else 0.0) for n, seconds in enumerate(launched)
        ]

        def step_s(runs: list[tuple[Any, int, int]]) -> float:
            if len(runs) == 1:
                request, tokens, _ = runs[0]
                if tokens > 1:
                    return alone[tokens] + pair_s * (tokens * request.computed)
                return alone[tokens] + decode_s * request.computed
            total = context = 0
            pairs = 0.0
            for request, tokens, _ in runs:
                total += tokens
                if tokens > 1:
                    pairs += tokens * (request.computed + 0.5 * tokens)
                else:
                    context += request.computed
            return launched[total] + request_s * len(runs) + pair_s * pairs + decode_s * context

        return step_s

    def swap_time(self, overheads: Overheads, block_size: int) -> SwapTime:
        """A function that gives the seconds of moving `blocks` KV blocks one way; 0.0 for none.

        seconds = blocks * swap_block_s + transfer(blocks * block_size tokens): the mean of the two
        directions, linear between the table's points and from the origin to the first.
        """
        tokens = self.swap.tokens
        one_way_s = [seconds / 2 for seconds in self.swap.both_ways_s()]
        block_s = overheads.swap_block_s

        def swap_s(blocks: int) -> float:
            return blocks * block_s + interpolate(tokens, one_way_s, blocks * block_size)

        return swap_s

    def costs(self, overheads: Overheads, token_budget: int, block_size: int) -> Costs:
        """The cost-based eviction's estimates, with the software overheads in.

        recompute(n) = mean latency(n) + what the two scales add + ceil(n / token_budget) * step_s and
        swap(n) = mean in + out + 2 * ceil(n / block_size) * swap_block_s, at the token counts of the
        tables, then fitted by degree 2. Warns (UserWarning) when an R2 is below 0.9.
        """
        recompute = [
            seconds + self._slower_s(overheads, n) + -(-n // token_budget) * overheads.step_s
            for n, seconds in zip(self.recompute.tokens, self.recompute.means_s(), strict=True)
        ]
        swap = [
            seconds + 2 * -(-n // block_size) * overheads.swap_block_s
            for n, seconds in zip(self.swap.tokens, self.swap.both_ways_s(), strict=True)
        ]
        return make_costs(
            polynomial_fit(self.recompute.tokens, recompute),
            polynomial_fit(self.swap.tokens, swap),
            self.recompute.tokens[0],
        )

    def _slower_s(self, overheads: Overheads, n: int) -> float:
        """What a forward pass of n tokens without context takes longer for the two scales."""
        attention_s = self.step.attention_s_per_token_pair * n * n / 2
        dense_s = interpolate(self.step.tokens, self.step.dense_s, n)
        return (overheads.dense_scale - 1) * dense_s + (overheads.attention_scale - 1) * attention_s

    def describe(self, file: str | Path) -> dict[str, object]:
        """What a result records of the model: its file and everything but the tables."""
        return {
            "file": Path(file).as_posix(),
            "sha256": self.sha256,
            "provider": self.provider,
            "hardware": self.hardware,
            "gpu": self.gpu,
            "model": self.model,
            "dtype": self.dtype,
            "tensor_parallel": self.tensor_parallel,
            "provenance": self.provenance,
        }


def write_model(document: Mapping[str, object], path: str | Path) -> PerfModel:
    """Seal a document (all keys but sha256), check it and write it atomically.

    Two calls with the same document write the same bytes. Raises HeadraceError as `PerfModel.load` does.
    """
    sealed = {key: value for key, value in document.items() if key != "sha256"}
    sealed["sha256"] = _digest(sealed, path)
    model = PerfModel.from_document(sealed, path)
    write_json(path, sealed)
    return model


def _digest(document: Mapping[str, object], place: object) -> str:
    try:
        return sha256({key: value for key, value in document.items() if key != "sha256"})
    except (TypeError, ValueError) as error:
        raise HeadraceError(place, f"can't be hashed ({error})", "finite numbers and text only") from None
