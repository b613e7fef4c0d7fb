"""What was run, on what, when, with which versions; the scorecard summed up."""

from pathlib import Path

from headrace.report import Setting, write_front_page
from headrace.script import paths, script

with script(snakemake.log[0]):
    files = paths(snakemake.input)
    write_front_page(
        files["cells"],
        files["runs"],
        metrics=Path(snakemake.input.metrics),
        scorecard=Path(snakemake.input.scorecard),
        lock=Path(snakemake.input.lock),
        traces=files["traces"],
        runs_listed=files["runs_listed"],
        setting=Setting(**snakemake.params.setting),
        out=Path(snakemake.output[0]),
    )
