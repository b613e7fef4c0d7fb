"""Draw Poisson arrivals; world 0 has the published ones."""

from pathlib import Path

from headrace.script import script
from headrace.workload import write_arrivals

with script(snakemake.log[0]):
    write_arrivals(
        snakemake.params.queries,
        worlds=snakemake.params.worlds,
        seed=snakemake.params.seed,
        out=Path(snakemake.output[0]),
    )
