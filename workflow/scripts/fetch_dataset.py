"""Download what the configuration needs of the public data set, at the revision that it names."""

from pathlib import Path

from headrace.script import script
from headrace.workload import fetch

with script(snakemake.log[0]):
    params = snakemake.params
    fetch(params.repo, params.revision, Path(snakemake.output[0]), params.folders)
