"""TTFT of all policies, streaming and not: complementary CDF per workload and request rate."""

from pathlib import Path

from headrace.plots.fig5 import draw
from headrace.script import script

with script(snakemake.log[0]):
    draw(
        [Path(cell) for cell in snakemake.input.cells],
        reference=Path(snakemake.input.reference[0]).parent,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        provenance=snakemake.params.provenance,
    )
