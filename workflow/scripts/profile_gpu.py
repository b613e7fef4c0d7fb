"""Measure the performance model of one hardware and model on the GPUs of the machine that runs this."""

from datetime import date
from pathlib import Path

from headrace.perf.profiler import run
from headrace.script import script

with script(snakemake.log[0]):
    run(
        snakemake.wildcards.hardware,
        Path(snakemake.input.hardware),
        Path(snakemake.input.models),
        Path(snakemake.output[0]),
        model=snakemake.wildcards.model,
        date=date.today().isoformat(),
    )
