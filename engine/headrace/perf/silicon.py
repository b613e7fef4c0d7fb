"""Provider `silicon`: step times from NVIDIA's measured kernel tables, through the aisimulate package.

aisimulate (Apache-2.0, formerly AIConfigurator) holds kernel times measured on H100, H200, A100, L40S and
others and composes them into the time of a forward pass. It is an optional extra, `headrace[silicon]`: the
models that ship with Headrace are built, so only regenerating them needs it.
"""

from collections.abc import Callable
from importlib.metadata import version

from headrace.errors import HeadraceError
from headrace.perf.architecture import Model
from headrace.perf.documents import (
    MEASURED_TOKENS,
    fitted_step_section,
    pcie_swap_section,
    recompute_section,
    significant,
)
from headrace.perf.hardware import Hardware, SiliconSource
from headrace.perf.step_fit import Pass, StepFit, fit_step

ForwardPass = Callable[[int, int, int], float]
"""Seconds of `requests` x `new tokens` after `context tokens` each."""

PREFILL_TOKENS = tuple(sorted({2, 4, 8, *MEASURED_TOKENS, *(3 * 2**power for power in range(3, 16))}))
PREFILL_CONTEXTS = (0, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 98304)
DECODE_REQUESTS = (1, *(n for n in PREFILL_TOKENS if n <= 256))
DECODE_CONTEXTS = (128, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
CHECKED_PREFILLS = tuple(
    (requests, n, context)
    for requests in (1, 2, 4)
    for n in (20, 100, 700, 1500, 1900)
    for context in (0, 300, 3000, 12000, 50000)
)
"""Passes off the grid, some of several requests, on which the fit is checked: budgets to 8,192 tokens."""


def sections(hardware: Hardware, model: Model, place: object) -> dict[str, object]:
    """The file's `step`, `recompute`, `swap` and `provenance`.

    Raises HeadraceError when aisimulate is not installed or has no tables for this GPU, engine version,
    model or tensor-parallel size.
    """
    source = hardware.silicon
    if source is None:
        raise HeadraceError(place, "the key silicon is missing", "give system, backend and backend_version")
    forward = open_tables(source, model, hardware.tensor_parallel, place)
    passes = measure_grid(forward, model.max_context_tokens)
    fit = fit_step(passes)
    errors = fit.errors(passes)
    return {
        "step": fitted_step_section(fit, errors),
        "recompute": recompute_section(MEASURED_TOKENS, [[forward(1, n, 0)] for n in MEASURED_TOKENS]),
        "swap": pcie_swap_section(hardware, model),
        "provenance": {
            "how": "measured kernel tables composed into forward passes by aisimulate; swap at PCIe speed",
            "aisimulate": version("aisimulate"),
            "aisimulate_model": model.aisimulate_name,
            "system": source.system,
            "backend": source.backend,
            "backend_version": source.backend_version,
            "pcie_bytes_per_s": hardware.pcie_bytes_per_s,
            "grid": {
                "prefill_tokens": list(PREFILL_TOKENS),
                "prefill_contexts": list(PREFILL_CONTEXTS),
                "decode_requests": list(DECODE_REQUESTS),
                "decode_contexts": list(DECODE_CONTEXTS),
                "passes": len(passes),
            },
            "step_fit": {
                "on_grid": _rounded(errors),
                "off_grid": _rounded(_check(fit, forward)),
            },
        },
    }


def measure_grid(forward: ForwardPass, max_context_tokens: int) -> list[Pass]:
    """Prefills of one request at each number of new tokens and context, and decodes of many."""
    prefills = [
        (1, n, context)
        for n in PREFILL_TOKENS
        for context in PREFILL_CONTEXTS
        if n + context <= max_context_tokens
    ]
    decodes = [(requests, 1, context) for requests in DECODE_REQUESTS for context in DECODE_CONTEXTS]
    return [Pass(*key, forward(*key)) for key in prefills + decodes]


def open_tables(source: SiliconSource, model: Model, tensor_parallel: int, place: object) -> ForwardPass:
    """The package's forward pass of this model on this hardware, in seconds."""
    try:
        from aisimulate.sdk import common, config, inference_session, models, perf_database
        from aisimulate.sdk.backends.factory import get_backend
    except ImportError as error:
        raise HeadraceError(
            f"{place}: provider silicon",
            f"the package aisimulate can't be imported ({error})",
            "install the extra headrace[silicon] (envs/silicon.yaml); the models under data/perf_models "
            "need no package",
        ) from None
    if model.aisimulate_name is None or model.dtype != "bfloat16":
        raise HeadraceError(
            f"{place}: provider silicon",
            f"no tables for {model.hub_names[0]} in {model.dtype}",
            "a bfloat16 model with the key aisimulate_name",
        )
    try:
        database = perf_database.get_database(source.system, source.backend, source.backend_version)
        if database is None:
            raise LookupError(f"no tables for {source.system}, {source.backend} {source.backend_version}")
        modes = config.ModelConfig(
            tp_size=tensor_parallel,
            gemm_quant_mode=common.GEMMQuantMode.bfloat16,
            kvcache_quant_mode=common.KVCacheQuantMode.bfloat16,
            fmha_quant_mode=common.FMHAQuantMode.bfloat16,
        )
        session = inference_session.InferenceSession(
            models.get_model(model.aisimulate_name, modes, source.backend),
            database,
            get_backend(source.backend),
        )
    # The package raises its own error types, none of which it documents.
    except Exception as error:
        raise HeadraceError(
            f"{place}: key silicon", f"aisimulate refuses it ({error})", "a system and version that it lists"
        ) from error

    def forward(requests: int, new_tokens: int, context_tokens: int) -> float:
        if new_tokens == 1:
            shape = config.RuntimeConfig(batch_size=requests, isl=context_tokens, osl=2)
            return session.run_static_latency_only(shape, mode="static_gen") / 1e3
        shape = config.RuntimeConfig(
            batch_size=requests, isl=context_tokens + new_tokens, osl=1, prefix=context_tokens
        )
        return session.run_static_latency_only(shape, mode="static_ctx") / 1e3

    return forward


def _check(fit: StepFit, forward: ForwardPass) -> dict[str, float]:
    return fit.errors([Pass(*key, forward(*key)) for key in CHECKED_PREFILLS])


def _rounded(errors: dict[str, float]) -> dict[str, float]:
    return {name: significant(error) for name, error in errors.items()}
