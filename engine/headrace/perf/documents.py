"""The parts of a performance model's file that all providers write the same way."""

import warnings
from collections.abc import Mapping, Sequence

from headrace.perf.architecture import Model
from headrace.perf.fit import GOOD_R2, mean, polynomial_fit
from headrace.perf.hardware import Hardware
from headrace.perf.model import FORMAT
from headrace.perf.step_fit import StepFit

MEASURED_TOKENS = tuple(2**power for power in range(4, 18))
"""16..131,072: the token counts at which Stream2LLM measured recomputation and swap."""
BLOCK_TOKENS = 16
"""Of a KV block (vLLM's default, and Stream2LLM's)."""
DIGITS = 9
"""Significant digits written; below them a measurement says nothing and machines may differ."""


def significant(seconds: float) -> float:
    """`seconds` with the digits that are written."""
    return float(f"{seconds:.{DIGITS}g}")


def document(
    provider: str,
    hardware: str,
    machine: Hardware,
    model_name: str,
    model: Model,
    sections: Mapping[str, object],
    date: str | None,
    place: object,
) -> dict[str, object]:
    """A whole file but for its hash, from a provider's `sections`; `date` goes into the provenance.

    Warns (UserWarning) when the R2 of a fit is below 0.9.
    """
    for name, section in sections.items():
        if "r2" in section and section["r2"] < GOOD_R2:
            warnings.warn(f"{place}: {name} fit: R2 {section['r2']:.3f} is below {GOOD_R2}", stacklevel=3)
    dated = {} if date is None else {"date": date}
    return {
        "format": FORMAT,
        "hardware": hardware,
        "gpu": machine.gpu,
        "model": model_name,
        "dtype": model.dtype,
        "tensor_parallel": machine.tensor_parallel,
        "provider": provider,
        "kv_bytes_per_token": model.kv_bytes_per_token,
        "block_bytes": BLOCK_TOKENS * model.kv_bytes_per_token,
        **sections,
        "provenance": {**sections["provenance"], **dated},
    }


def step_section(
    tokens: Sequence[int],
    dense_s: Sequence[float],
    attention_s_per_token_pair: float,
    decode_s_per_context_token: float,
    r2: float,
    max_rel_error: float,
) -> dict[str, object]:
    """`step`; see tables.StepTable."""
    return {
        "tokens": list(tokens),
        "dense_s": [significant(seconds) for seconds in dense_s],
        "attention_s_per_token_pair": significant(attention_s_per_token_pair),
        "decode_s_per_context_token": significant(decode_s_per_context_token),
        "r2": significant(r2),
        "max_rel_error": significant(max_rel_error),
    }


def fitted_step_section(fit: StepFit, errors: Mapping[str, float]) -> dict[str, object]:
    """`step`, from a fit and its `StepFit.errors` over the passes that it was made of."""
    return step_section(
        fit.tokens,
        fit.dense_s,
        fit.attention_s_per_token_pair,
        fit.decode_s_per_context_token,
        errors["r2"],
        errors["max_rel_error"],
    )


def recompute_section(tokens: Sequence[int], latency_s: Sequence[Sequence[float]]) -> dict[str, object]:
    """`recompute`, from the repeats of each token count, with the published degree-2 fit of the means."""
    latency_s = [[significant(seconds) for seconds in repeats] for repeats in latency_s]
    fit = polynomial_fit(tokens, [mean(repeats) for repeats in latency_s])
    return {
        "tokens": list(tokens),
        "latency_s": latency_s,
        "fit": [significant(coefficient) for coefficient in fit.coefficients],
        "r2": significant(fit.r2),
    }


def swap_section(
    tokens: Sequence[int], in_s: Sequence[Sequence[float]], out_s: Sequence[Sequence[float]]
) -> dict[str, object]:
    """`swap`, from the repeats of each token count, with the published degree-2 fit of in + out."""
    in_s = [[significant(seconds) for seconds in repeats] for repeats in in_s]
    out_s = [[significant(seconds) for seconds in repeats] for repeats in out_s]
    fit = polynomial_fit(tokens, [mean(a) + mean(b) for a, b in zip(in_s, out_s, strict=True)])
    return {
        "tokens": list(tokens),
        "in_s": in_s,
        "out_s": out_s,
        "fit": [significant(coefficient) for coefficient in fit.coefficients],
        "r2": significant(fit.r2),
    }


def pcie_swap_section(hardware: Hardware, model: Model) -> dict[str, object]:
    """`swap` at PCIe speed: each GPU moves its share of the KV cache over its own link at the same time.

    The launches of the copies are software: `Overheads.swap_block_s`.
    """
    token_s = model.kv_bytes_per_token / hardware.tensor_parallel / hardware.pcie_bytes_per_s
    one_way_s = [[n * token_s] for n in MEASURED_TOKENS]
    return swap_section(MEASURED_TOKENS, one_way_s, one_way_s)
