"""Targets, figures, errors, the worst rows and why, what was tried: one page, to read and for the report."""

from os.path import relpath
from pathlib import Path

from headrace.fidelity.page import Sources, write_page
from headrace.report import write_fidelity_page
from headrace.script import paths, script

with script(snakemake.log[0]):
    files, document = paths(snakemake.input), Path(snakemake.output.document)
    write_page(
        Sources(
            scorecard=Path(snakemake.input.scorecard),
            reference=files["reference"][0].parent,
            floor=next(iter(files["floor"]), None),
            parity=next(iter(files["parity"]), None),
            calibration=next(iter(files["calibration"]), None),
            tried=Path(snakemake.input.tried),
            figures={figure.stem: relpath(figure, document.parent) for figure in files["figures"]},
        ),
        explanations=snakemake.params.explanations,
        provenance=snakemake.params.provenance,
        out=document,
    )
    write_fidelity_page(document, files["figures"], out=Path(snakemake.output.page))
