"""A table as it is read, and below it every row to be searched and sorted in the browser."""

from pathlib import Path

from headrace.report import write_document_page
from headrace.script import script

with script(snakemake.log[0]):
    write_document_page(
        Path(snakemake.input.document),
        table=Path(snakemake.input.table),
        out=Path(snakemake.output[0]),
    )
