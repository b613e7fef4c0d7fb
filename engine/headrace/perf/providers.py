"""Builds the performance model of a hardware: what the workflow's rule calls."""

import warnings
from pathlib import Path

from headrace.errors import HeadraceError, nearest
from headrace.perf import published, roofline, silicon
from headrace.perf.documents import BLOCK_TOKENS
from headrace.perf.fit import GOOD_R2
from headrace.perf.hardware import load_hardware, load_models, pick
from headrace.perf.model import FORMAT, PerfModel, write_model

BUILDERS = {"published": published.sections, "roofline": roofline.sections, "silicon": silicon.sections}


def build(
    provider: str,
    hardware: str,
    hardware_file: str | Path,
    models_file: str | Path,
    out: str | Path,
    date: str | None = None,
) -> PerfModel:
    """Write the performance model of `hardware` to `out` and return it.

    The model is the one that the hardware's perf_model names. Two calls write the same bytes: no clock is
    read, `date` gets into the provenance only when it is given. Warns (UserWarning) when the R2 of a fit
    is below 0.9. Raises HeadraceError for an unknown provider, hardware or model, for inputs that the
    provider needs and the files lack, and for a value that no measurement can have.
    """
    if provider not in BUILDERS:
        raise HeadraceError(f"provider {provider!r}", "nothing builds it", nearest(provider, BUILDERS))
    place = f"{hardware_file}: {hardware}"
    machine = pick(load_hardware(hardware_file), hardware, hardware_file)
    model_name = machine.perf_model.model
    model = pick(load_models(models_file), model_name, models_file)
    built = BUILDERS[provider](machine, model, place)
    if date is not None:
        built["provenance"]["date"] = date
    for name in ("step", "recompute", "swap"):
        if built[name]["r2"] < GOOD_R2:
            warnings.warn(f"{place}: {name} fit: R2 {built[name]['r2']:.3f} is below {GOOD_R2}", stacklevel=2)
    return write_model(
        {
            "format": FORMAT,
            "hardware": hardware,
            "gpu": machine.gpu,
            "model": model_name,
            "dtype": model.dtype,
            "tensor_parallel": machine.tensor_parallel,
            "provider": provider,
            "kv_bytes_per_token": model.kv_bytes_per_token,
            "block_bytes": BLOCK_TOKENS * model.kv_bytes_per_token,
            **built,
        },
        out,
    )
