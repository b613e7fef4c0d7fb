"""Build the performance model of one hardware and model with the provider that the config names."""

from pathlib import Path

from headrace.perf import build
from headrace.script import script

with script(snakemake.log[0]):
    build(
        snakemake.wildcards.provider,
        snakemake.wildcards.hardware,
        Path(snakemake.input.hardware),
        Path(snakemake.input.models),
        Path(snakemake.output[0]),
        published=snakemake.params.published or None,
    )
