"""Serve a group of cells on one engine of vLLM."""

from pathlib import Path

from headrace.axes import TYPES
from headrace.perf.records import read_record
from headrace.script import script
from headrace.vllm.cells.job import Job
from headrace.vllm.cells.launch import run
from headrace.vllm.cells.settings import Settings
from headrace.vllm.cells.store import FILES

with script(snakemake.log[0]):
    given = snakemake.params
    tables = zip(given.workloads, snakemake.input.chunks, snakemake.input.arrivals, strict=True)
    folders = [Path(file).parent for file in snakemake.output[:: len(FILES)]]
    study = folders[0].parents[len(TYPES)]
    job = Job(
        name=given.name,
        cells=tuple({**cell, "out": str(folder)} for cell, folder in zip(given.cells, folders, strict=True)),
        workloads={
            name: {
                "chunks": chunks,
                "arrivals": arrivals,
                "template_tokens": given.templates.get(name, 0),
            }
            for name, chunks, arrivals in tables
        },
        perf_model=snakemake.input.perf_model,
        weights=snakemake.input.weights,
        gpu=given.gpu,
        model=dict(given.model),
        seed=given.seed,
        settings=read_record(Settings, given.settings, "config: key vllm"),
        store=str(study / "vllm/served"),
    )
    run(job, given.python)
