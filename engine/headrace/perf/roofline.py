"""Provider `roofline`: step times from a data sheet, for a GPU that nobody measured."""

from headrace.errors import HeadraceError
from headrace.perf.architecture import Model
from headrace.perf.documents import MEASURED_TOKENS, pcie_swap_section, recompute_section, step_section
from headrace.perf.hardware import Hardware


def sections(hardware: Hardware, model: Model, place: object) -> dict[str, object]:
    """The file's `step`, `recompute`, `swap` and `provenance`.

    A forward pass of n new tokens costs the larger of its matrix products (2 FLOP per layer parameter and
    token) and one read of the layers' weights, plus one read of the output projection's; a pair of new
    token and context token costs its QK^T and PV; a decoded token reads its KV cache. Each at a share of
    the peak (RooflineSource). Raises HeadraceError when the shares are not given, or for tensor
    parallelism: a data sheet says nothing about the all-reduce between the GPUs.
    """
    shares = hardware.roofline
    if shares is None:
        raise HeadraceError(place, "the key roofline is missing", "give its efficiencies and their source")
    if hardware.tensor_parallel != 1:
        raise HeadraceError(
            f"{place}: key tensor_parallel",
            f"the roofline has no all-reduce, so {hardware.tensor_parallel} GPUs can't be modelled",
            "1, or the provider silicon, profiled, vllm or published",
        )
    flop_per_s = hardware.flop_per_s * shares.dense_efficiency
    bytes_per_s = hardware.memory_bytes_per_s * shares.memory_efficiency
    pair_s = model.attention_flop_per_token_pair / (hardware.flop_per_s * shares.attention_efficiency)
    token_s = 2 * model.layer_parameters / flop_per_s
    layers_s = model.layer_parameters * model.dtype_bytes / bytes_per_s
    head_s = model.head_parameters * model.dtype_bytes / bytes_per_s

    def dense_s(n: int) -> float:
        return max(n * token_s, layers_s) + head_s

    ridge = max(2, round(layers_s / token_s))
    tokens = sorted({1, ridge, *MEASURED_TOKENS})
    return {
        "step": step_section(
            tokens,
            [dense_s(n) for n in tokens],
            pair_s,
            model.kv_bytes_per_token / bytes_per_s,
            r2=1.0,
            max_rel_error=0.0,
        ),
        "recompute": recompute_section(
            MEASURED_TOKENS, [[dense_s(n) + pair_s * n * n / 2] for n in MEASURED_TOKENS]
        ),
        "swap": pcie_swap_section(hardware, model),
        "provenance": {
            "how": "roofline of the data sheet's peaks at assumed efficiencies; nothing was measured",
            "flop_per_s": hardware.flop_per_s,
            "memory_bytes_per_s": hardware.memory_bytes_per_s,
            "pcie_bytes_per_s": hardware.pcie_bytes_per_s,
            "dense_efficiency": shares.dense_efficiency,
            "attention_efficiency": shares.attention_efficiency,
            "memory_efficiency": shares.memory_efficiency,
            "source": shares.source,
        },
    }
