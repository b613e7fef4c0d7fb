"""The file's sections from what a profile measured."""

from collections.abc import Mapping

from headrace.perf.documents import recompute_section, significant, step_section, swap_section
from headrace.perf.fit import mean
from headrace.perf.profiler import grid
from headrace.perf.profiler.measured import Measured
from headrace.perf.profiler.spread import spread, swap_block_s
from headrace.perf.step_fit import Pass, fit_step


def sections(
    measured: Measured, planned: grid.Grid, ran_on: Mapping[str, object], graphs: bool
) -> dict[str, object]:
    """`step`, `recompute`, `swap`, `swap_per_block` and `provenance`.

    `ran_on`: device, devices, software and attention kernel, for the provenance; `graphs`: whether passes
    were replayed from CUDA graphs.
    """
    passes = [Pass(*shape, mean(repeats)) for shape, repeats in measured.steps.items()]
    passes += [Pass(1, tokens, 0, mean(repeats)) for tokens, repeats in measured.recompute.items()]
    fit = fit_step(passes)
    errors = fit.errors(passes)
    how = "forward passes and block copies measured with torch and transformers' Llama, random weights"
    if ran_on["device"] == "cpu":
        how = f"on a CPU, which says nothing about any GPU: {how}"
    return {
        "step": step_section(
            fit.tokens,
            fit.dense_s,
            fit.attention_s_per_token_pair,
            fit.decode_s_per_context_token,
            errors["r2"],
            errors["max_rel_error"],
        ),
        "recompute": recompute_section(list(measured.recompute), list(measured.recompute.values())),
        "swap": _swap_section(measured.swap),
        "swap_per_block": _swap_section(measured.swap_per_block),
        "provenance": {
            "how": how,
            **ran_on,
            "cuda_graph_up_to_tokens": grid.GRAPH_TOKENS if graphs else 0,
            "swap_per_block_copies": "torch copies issued from Python, one by one",
            "repeats": {
                "recompute_and_swap": grid.REPEATS,
                "of_which_dropped": grid.DROPPED,
                "step": grid.STEP_REPEATS,
                "step_of_which_dropped": grid.STEP_DROPPED,
            },
            "relative_std": {
                "step": spread(measured.steps.values()),
                "recompute": spread(measured.recompute.values()),
                "swap": spread(repeats for both in measured.swap.values() for repeats in both),
                "swap_per_block": spread(
                    repeats for both in measured.swap_per_block.values() for repeats in both
                ),
            },
            "step_passes": [
                [step.requests, step.new_tokens, step.context_tokens, significant(step.seconds)]
                for step in passes
            ],
            "step_median_rel_error": significant(errors["median_rel_error"]),
            "left_out_for_lack_of_memory": planned.left_out,
            "suggested_swap_block_s": swap_block_s(measured.swap_per_block, measured.swap),
        },
    }


def _swap_section(table: Mapping[int, tuple[list[float], list[float]]]) -> dict[str, object]:
    in_s, out_s = zip(*table.values(), strict=True)
    return swap_section(list(table), in_s, out_s)
