"""Provider `published`: the study's own recomputation and swap measurements.

Format (Stream2LLM artifact, perf models): `{"recomputation_latencies": {"<tokens>": [ms, ...]},
"metadata": {...}}` and `{"swap_in_latency": {...}, "swap_out_latency": {...}, "metadata": {...}}`, seven
repeats per token count of which the first two are warm-up.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from headrace.errors import HeadraceError, nearest
from headrace.files import read_json
from headrace.perf.architecture import Model
from headrace.perf.documents import recompute_section, step_section, swap_section
from headrace.perf.fit import mean, polynomial_fit, r_squared
from headrace.perf.hardware import Hardware

WARM_UP = 2
METADATA = ("model_name", "gpu_memory_utilization", "tensor_parallel_size", "max_num_batched_tokens")

Latencies = dict[int, list[float]]
"""Seconds of the repeats, by token count."""


def sections(hardware: Hardware, model: Model, place: object) -> dict[str, object]:
    """The file's `step`, `recompute`, `swap` and `provenance`.

    A recomputation is one forward pass without context, so its degree-2 fit c0 + c1 n + c2 n^2 splits
    into dense work c0 + c1 n, never below the shortest pass measured, and attention n^2 / 2 * 2 c2. Where
    the fit bends downwards, attention is 0 and the dense work is the degree-1 fit. Decoding was not
    measured: a decoded token reads its KV cache at the data sheet's bandwidth. Raises HeadraceError when
    a file is missing, damaged, or of another model or tensor-parallel size.
    """
    source = hardware.published
    if source is None:
        raise HeadraceError(place, "the key published is missing", "give recompute_file and swap_file")
    recompute_metadata, (recompute,) = _read(
        source.recompute_file, ("recomputation_latencies",), hardware, model
    )
    swap_metadata, (swap_in, swap_out) = _read(
        source.swap_file, ("swap_in_latency", "swap_out_latency"), hardware, model
    )
    if list(swap_in) != list(swap_out):
        raise HeadraceError(source.swap_file, "in and out have other token counts", "the same for both")

    tokens, measured_s = list(recompute), [mean(repeats) for repeats in recompute.values()]
    fit = polynomial_fit(tokens, measured_s)
    c0, c1, c2 = fit.coefficients
    if c2 < 0 or c1 < 0:
        c0, c1 = polynomial_fit(tokens, measured_s, degree=1).coefficients
        c1, c2 = max(c1, 0.0), 0.0
    shortest_s = min(measured_s)
    dense_s = [max(c0 + c1 * n, shortest_s) for n in tokens]
    modelled_s = [seconds + c2 * n * n for n, seconds in zip(tokens, dense_s, strict=True)]
    return {
        "step": step_section(
            tokens,
            dense_s,
            2 * c2,
            model.kv_bytes_per_token / hardware.tensor_parallel / hardware.memory_bytes_per_s,
            r_squared(measured_s, modelled_s),
            max(abs(a / b - 1) for a, b in zip(modelled_s, measured_s, strict=True)),
        ),
        "recompute": recompute_section(tokens, list(recompute.values())),
        "swap": swap_section(list(swap_in), list(swap_in.values()), list(swap_out.values())),
        "provenance": {
            "how": "the study's own measurements; step split by the degree-2 fit of the recomputations",
            "warm_up_repeats_dropped": WARM_UP,
            "recompute": {"sha256": _hash(source.recompute_file), "metadata": recompute_metadata},
            "swap": {"sha256": _hash(source.swap_file), "metadata": swap_metadata},
        },
    }


def _read(
    path: str, tables: tuple[str, ...], hardware: Hardware, model: Model
) -> tuple[Mapping, list[Latencies]]:
    document = read_json(path)
    if not isinstance(document, Mapping):
        raise HeadraceError(path, "no mapping of keys", f"keys: metadata, {', '.join(tables)}")
    for key in ("metadata", *tables):
        if not isinstance(document.get(key), Mapping):
            raise HeadraceError(path, f"key {key!r} is missing or no mapping", "the study's own JSON file")
    metadata = document["metadata"]
    for key in METADATA:
        if key not in metadata:
            raise HeadraceError(f"{path}: key metadata", f"key {key!r} is missing", f"keys: {METADATA}")
    if metadata["model_name"] not in model.hub_names:
        raise HeadraceError(
            f"{path}: key metadata",
            f"measured with the model {metadata['model_name']!r}, not {model.hub_names[0]!r}",
            nearest(str(metadata["model_name"]), model.hub_names),
        )
    if metadata["tensor_parallel_size"] != hardware.tensor_parallel:
        raise HeadraceError(
            f"{path}: key metadata",
            f"measured with tensor parallelism {metadata['tensor_parallel_size']}, "
            f"not {hardware.tensor_parallel}",
            f"files measured with {hardware.tensor_parallel}",
        )
    return metadata, [_latencies(document[table], f"{path}: key {table}") for table in tables]


def _latencies(table: Mapping, place: str) -> Latencies:
    latencies = {}
    for key, repeats_ms in table.items():
        if not (isinstance(key, str) and key.isascii() and key.isdigit() and int(key) > 0):
            raise HeadraceError(place, f"{key!r} is no token count", "a whole number above 0")
        where = f"{place}, {key} tokens"
        if not isinstance(repeats_ms, list) or len(repeats_ms) <= WARM_UP:
            raise HeadraceError(
                where, "too few repeats", f"a list of more than {WARM_UP}: the first {WARM_UP} are warm-up"
            )
        for repeat in repeats_ms:
            number = isinstance(repeat, int | float) and not isinstance(repeat, bool)
            if not number or not 0 < repeat < float("inf"):
                raise HeadraceError(where, f"{repeat!r} is no time", "milliseconds above 0")
        latencies[int(key)] = [repeat / 1e3 for repeat in repeats_ms[WARM_UP:]]
    return dict(sorted(latencies.items()))


def _hash(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
