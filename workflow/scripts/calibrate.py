"""Fit the free values of the configuration to the calibration set."""

from pathlib import Path

from headrace.calibration.fit import run
from headrace.script import script

if __name__ == "__main__":  # worker processes import this file
    with script(snakemake.log[0]):
        run(
            snakemake.config,  # what of it counts is in params.configuration
            "stream2llm",
            reference=Path(snakemake.input.reference[0]).parent,
            sources=snakemake.params.served,
            out=Path(snakemake.output[0]),
            workers=snakemake.threads,
            shown=True,
        )
