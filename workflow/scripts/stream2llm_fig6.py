"""Mean and P95 TTFT against the request rate, crawler."""

from pathlib import Path

from headrace.plots.fig6 import draw
from headrace.script import script

with script(snakemake.log[0]):
    draw(
        [Path(cell) for cell in snakemake.input.cells],
        reference=Path(snakemake.input.reference[0]).parent,
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        provenance=snakemake.params.provenance,
    )
