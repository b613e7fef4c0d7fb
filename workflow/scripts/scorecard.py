"""Published against reproduced, with prediction intervals and a baseline without a simulator."""

from pathlib import Path

from headrace.scorecard import write
from headrace.script import script

with script(snakemake.log[0]):
    names, tables = snakemake.params.workloads, snakemake.input.workloads
    write(
        Path(snakemake.input.metrics),
        workloads={name: Path(table) for name, table in zip(names, tables, strict=True)},
        reference=Path(snakemake.input.reference[0]).parent,
        calibration=snakemake.params.calibration,
        out=Path(snakemake.output[0]),
    )
