"""Builds the performance model of a hardware: what the workflow's rule calls."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from headrace.errors import HeadraceError, nearest
from headrace.perf import published as measured
from headrace.perf import roofline, silicon
from headrace.perf.documents import document
from headrace.perf.hardware import PublishedSource, load_hardware, load_models, pick
from headrace.perf.model import PerfModel, write_model
from headrace.perf.records import read_record

BUILDERS = {"published": measured.sections, "roofline": roofline.sections, "silicon": silicon.sections}


def build(
    provider: str,
    hardware: str,
    hardware_file: str | Path,
    models_file: str | Path,
    out: str | Path,
    date: str | None = None,
    published: Mapping[str, str] | None = None,
) -> PerfModel:
    """Write the performance model of `hardware` to `out` and return it.

    The model is the one that the hardware's perf_model names. Two calls write the same bytes: no clock is
    read, `date` gets into the provenance only when it is given. `published` (recompute_file, swap_file)
    stands for the hardware's key of that name. Warns (UserWarning) when the R2 of a fit is below 0.9.
    Raises HeadraceError for an unknown provider, hardware or model, for inputs that the provider needs and
    the files lack, and for a value that no measurement can have.
    """
    if provider not in BUILDERS:
        raise HeadraceError(f"provider {provider!r}", "nothing builds it", nearest(provider, BUILDERS))
    place = f"{hardware_file}: {hardware}"
    machine = pick(load_hardware(hardware_file), hardware, hardware_file)
    if published is not None:
        source = read_record(PublishedSource, published, f"{place}: key published")
        machine = replace(machine, published=source)
    model_name = machine.perf_model.model
    model = pick(load_models(models_file), model_name, models_file)
    sections = BUILDERS[provider](machine, model, place)
    return write_model(document(provider, hardware, machine, model_name, model, sections, date, place), out)
