"""Measure the performance model of one hardware and model on a vLLM that runs on its GPUs."""

from datetime import date
from pathlib import Path

from headrace.script import script
from headrace.vllm.profile.measure import run

with script(snakemake.log[0]):
    run(
        snakemake.params.python,
        hardware=snakemake.wildcards.hardware,
        hardware_file=Path(snakemake.input.hardware),
        models_file=Path(snakemake.input.models),
        out=Path(snakemake.output[0]),
        model=snakemake.wildcards.model,
        date=date.today().isoformat(),
        **snakemake.params.options,
    )
