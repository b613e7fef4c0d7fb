"""The sections of a performance model from what was measured on a running engine: arithmetic only."""

from collections.abc import Mapping, Sequence
from statistics import median

from headrace.perf.documents import fitted_step_section, recompute_section, significant, swap_section
from headrace.perf.profiler import grid
from headrace.perf.profiler.sections import spread
from headrace.perf.step_fit import Pass, StepFit, fit_step

HOW = (
    "steps of a running vLLM with the plugin, random weights, on the host's clock from scheduling to the "
    "tokens; copies of KV blocks by its swap connector"
)


def sections(
    measured: Mapping[str, list], left_out: Mapping[str, list], ran_on: Mapping[str, object]
) -> dict[str, object]:
    """`step`, `recompute`, `swap` and `provenance`; `measured` as of `profile_steps.measure`.

    A step's time is the median of its repeats, for an engine in Python has stragglers. `ran_on`: device
    (cpu or cuda), devices, software, how the engine was started; for the provenance.
    """
    passes = [Pass(n, new, context, median(seconds)) for n, new, context, seconds in measured["step"]]
    fit = fit_step(passes)
    errors = fit.errors(passes)
    mixed = [mixed_error(fit, *step) for step in measured["mixed"]]
    tokens, latencies = zip(*measured["recompute"], strict=True)
    swapped, out_s, in_s = zip(*measured["swap"], strict=True)
    how = HOW
    if ran_on["device"] == "cpu":
        how = f"on a CPU, which says nothing about any GPU: {how}"
    return {
        "step": fitted_step_section(fit, errors),
        "recompute": recompute_section(list(tokens), latencies),
        "swap": swap_section(list(swapped), in_s, out_s),
        "provenance": {
            "how": how,
            **ran_on,
            "repeats": {
                "recompute_and_swap": grid.REPEATS,
                "of_which_dropped": grid.DROPPED,
                "step": grid.STEP_REPEATS,
                "step_of_which_dropped": grid.STEP_DROPPED,
            },
            "relative_std": {
                "step": spread(seconds for *_, seconds in measured["step"]),
                "recompute": spread(latencies),
                "swap": spread([*out_s, *in_s]),
            },
            "step_passes": [
                [step.requests, step.new_tokens, step.context_tokens, significant(step.seconds)]
                for step in passes
            ],
            "step_median_rel_error": significant(errors["median_rel_error"]),
            "mixed_steps": [
                [n, d, context, significant(median(s))] for n, d, context, s in measured["mixed"]
            ],
            "mixed_rel_error": {
                "median": significant(median(mixed)) if mixed else None,
                "max": significant(max(mixed)) if mixed else None,
            },
            "left_out": dict(left_out),
            "overheads": "in the steps; with this file set those of the hardware to 0 and both scales to 1",
        },
    }


def mixed_error(fit: StepFit, tokens: int, decodes: int, context: int, seconds: Sequence[float]) -> float:
    """Relative error of the fit for a step that it was not made of: a prefill beside decodes."""
    dense_s = fit.seconds(Pass(tokens + decodes, 1, 0, 1.0))  # so many new tokens, and no context
    modelled = (
        dense_s
        + fit.attention_s_per_token_pair * tokens * tokens / 2
        + fit.decode_s_per_context_token * decodes * context
    )
    return abs(modelled / median(seconds) - 1)
