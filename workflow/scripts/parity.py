"""Serve every policy with all arrivals at once."""

from pathlib import Path

from headrace.script import script
from headrace.variants.parity import write_parity

with script(snakemake.log[0]):
    write_parity(
        snakemake.params.config,
        "stream2llm",
        cells=snakemake.params.cells,
        worlds=snakemake.params.worlds,
        out=Path(snakemake.output[0]),
    )
