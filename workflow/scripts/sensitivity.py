"""Serve the cells of the claims with one assumption moved down and up."""

from pathlib import Path

from headrace.script import script
from headrace.variants.sensitivity import write_sensitivity

with script(snakemake.log[0]):
    write_sensitivity(
        snakemake.params.config,
        "stream2llm",
        hardware=snakemake.params.hardware,
        definition=snakemake.params.definition,
        name=snakemake.wildcards.assumption,
        out=Path(snakemake.output[0]),
    )
