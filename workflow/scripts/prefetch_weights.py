"""Download the weights, or find them in a folder, and check that they are whole and of the model."""

from pathlib import Path

from headrace.perf.architecture import Model
from headrace.perf.records import read_record
from headrace.script import script
from headrace.vllm.cells.weights import prepare

with script(snakemake.log[0]):
    out = Path(snakemake.output[0])
    prepare(
        read_record(Model, snakemake.params.model, f"model {snakemake.wildcards.model}"),
        snakemake.params.weights,
        snakemake.params.revision,
        snakemake.params.load_format,
        folder=out.with_suffix("").resolve(),
        out=out,
    )
