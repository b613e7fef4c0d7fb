"""Read traces in a published format and count the tokens of every chunk."""

import sys
from pathlib import Path

from headrace.files import write_json
from headrace.script import script
from headrace.workload import read_traces

with script(snakemake.log[0]):
    counts = read_traces(
        snakemake.wildcards.workload,
        Path(snakemake.input[0], snakemake.params.subfolder),
        snakemake.params.tokeniser,
        worlds=snakemake.params.worlds,
        queries=snakemake.params.queries,
        out=Path(snakemake.output.chunks),
        progress=sys.stderr.isatty(),
        threads=snakemake.threads,
    )
    write_json(snakemake.output.traces, counts)
