"""Write one table: the named inputs go to `headrace.tables.<table>.write`."""

from importlib import import_module
from pathlib import Path

from headrace.script import paths, script

with script(snakemake.log[0]):
    import_module(f"headrace.tables.{snakemake.params.table}").write(
        **paths(snakemake.input),
        **snakemake.params.get("options", {}),
        out_stem=Path(snakemake.output.csv).with_suffix(""),
        provenance=snakemake.params.provenance,
    )
