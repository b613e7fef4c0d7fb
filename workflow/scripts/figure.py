"""Draw one figure: the named inputs go to `headrace.plots.<figure>.draw`."""

from importlib import import_module
from pathlib import Path

from headrace.script import paths, script

with script(snakemake.log[0]):
    import_module(f"headrace.plots.{snakemake.params.figure}").draw(
        **paths(snakemake.input),
        **snakemake.params.get("options", {}),
        out_stem=Path(snakemake.output.svg).with_suffix(""),
        provenance=snakemake.params.provenance,
    )
