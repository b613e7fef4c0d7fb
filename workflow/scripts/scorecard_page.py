"""Every row of the scorecard, to be searched, filtered and sorted in the browser."""

from pathlib import Path

from headrace.report import write_scorecard_page
from headrace.script import paths, script

with script(snakemake.log[0]):
    write_scorecard_page(
        Path(snakemake.input.scorecard),
        cells=paths(snakemake.input)["cells"],
        out=Path(snakemake.output[0]),
    )
