"""Percentiles, preemptions, concurrency and throughput of every cell."""

from pathlib import Path

from headrace.metrics import collect
from headrace.script import script

with script(snakemake.log[0]):
    collect([Path(cell) for cell in snakemake.input.cells], Path(snakemake.output[0]))
