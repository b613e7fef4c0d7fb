"""Serve one cell in the virtual-clock simulator."""

from pathlib import Path

from headrace.cell import run
from headrace.script import script

with script(snakemake.log[0]):
    run(
        snakemake.params.spec,
        chunks=Path(snakemake.input.chunks),
        arrivals=Path(snakemake.input.arrivals),
        perf_model=Path(snakemake.input.perf_model),
        out=Path(snakemake.output.requests).parent,
    )
