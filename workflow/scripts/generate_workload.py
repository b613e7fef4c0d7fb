"""Draw every world of a workload from its published statistics."""

from pathlib import Path

from headrace.script import script
from headrace.workload import generate

with script(snakemake.log[0]):
    generate(
        snakemake.wildcards.workload,
        snakemake.params.parameters,
        worlds=snakemake.params.worlds,
        seed=snakemake.params.seed,
        queries=snakemake.params.queries,
        out=Path(snakemake.output[0]),
        typical_of=snakemake.params.typical_of,
        progress=False,
    )
