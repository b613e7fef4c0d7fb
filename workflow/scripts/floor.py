"""Score world 0 against each further draw."""

from pathlib import Path

from headrace.script import script
from headrace.variants.floor import write_floor

with script(snakemake.log[0]):
    write_floor([Path(file) for file in snakemake.input], Path(snakemake.output[0]))
