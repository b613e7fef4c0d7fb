"""The command `python -m headrace.perf.profiler`."""

import os
import sys
from pathlib import Path

import click

from headrace.errors import HeadraceError
from headrace.perf.profiler.launch import run
from headrace.perf.profiler.process import profile

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--hardware", required=True, help="Name in the hardware file, e.g. h200-tp2.")
@click.option("--model", help="Name in the models file. Default: the one that the hardware names.")
@click.option("--hardware-file", type=EXISTING, default=Path("config/hardware.yaml"), show_default=True)
@click.option("--models-file", type=EXISTING, default=Path("config/models.yaml"), show_default=True)
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The file to write."
)
@click.option("--device", type=click.Choice(["cuda", "cpu"]), default="cuda", help="cpu is for tests.")
@click.option("--eager", is_flag=True, help="Launch every kernel from Python, no CUDA graphs.")
@click.option("--date", help="Goes into the provenance as it is.")
def main(**options: object) -> None:
    """Measure the performance model of one hardware on the GPUs of this machine."""
    rank = os.environ.get("RANK")
    try:
        profile(**options) if rank is not None else run(**options)
    except HeadraceError as error:
        if rank in (None, "0"):
            print(error, file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main()
