"""Read every run log of the data set into the tables of cells."""

import sys
from pathlib import Path

from headrace.run_logs.read import read_run_logs
from headrace.script import script

with script(snakemake.log[0]):
    read_run_logs(
        Path(snakemake.input[0]),
        snakemake.params.expected,
        runs=Path(snakemake.output.runs),
        cells=Path(snakemake.output.cells),
        progress=sys.stderr.isatty(),
    )
