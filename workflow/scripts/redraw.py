"""Serve the grid of a workload on further draws of it."""

from pathlib import Path

from headrace.script import script
from headrace.variants.floor import write_draws

with script(snakemake.log[0]):
    write_draws(
        snakemake.params.config,
        "stream2llm",
        cells=snakemake.params.cells,
        draws=snakemake.params.draws,
        out=Path(snakemake.output[0]),
    )
