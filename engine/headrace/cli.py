"""The command `headrace`. Each command imports what it needs, so that --help answers at once."""

import sys
from pathlib import Path

import click

import headrace
from headrace.errors import HeadraceError

EXISTING = click.Path(exists=True, dir_okay=False, path_type=Path)


class _OneLineErrors(click.Group):
    """A HeadraceError ends the command with its one line and exit code 1."""

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except HeadraceError as error:
            click.echo(f"headrace: {error}", err=True)
            sys.exit(1)


@click.group(cls=_OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(headrace.__version__, prog_name="headrace")
def main() -> None:
    """Studies of LLM-serving schedulers: simulate a cell, list policies, read a scorecard."""


@main.command()
def policies() -> None:
    """List the scheduling policies and the eviction rules."""
    import inspect

    from headrace.scheduling import EVICTIONS, POLICIES, load

    for title, classes in (
        ("policy", {name: load(name) for name in POLICIES}),
        ("eviction", EVICTIONS),
    ):
        for name, cls in classes.items():
            sentence = inspect.getdoc(cls).split("\n\n")[0].replace("\n", " ")
            click.echo(f"{title:9} {name:15} {sentence}")


@main.command()
@click.option(
    "--spec", type=EXISTING, required=True, help="JSON or YAML file: what to run (headrace.spec.Spec)."
)
@click.option("--chunks", type=EXISTING, required=True, help="Parquet: the workload's chunk table.")
@click.option("--arrivals", type=EXISTING, required=True, help="Parquet: starts of the queries at 1 query/s.")
@click.option("--perf-model", type=EXISTING, required=True, help="JSON: the performance model.")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the tables."
)
def cell(spec: Path, chunks: Path, arrivals: Path, perf_model: Path, out: Path) -> None:
    """Simulate one cell: requests.parquet, cell.json and run.json."""
    from headrace.threads import one_each

    one_each()
    from headrace.cell import run
    from headrace.spec import read_spec

    run(read_spec(spec), chunks, arrivals, perf_model, out)


@main.command()
@click.argument("scorecard", type=EXISTING)
def score(scorecard: Path) -> None:
    """Sum up a scorecard: errors by workload and artifact, beside those of no simulator at all."""
    from rich.console import Console

    from headrace.scorecard import print_summary

    console = Console()
    print_summary(scorecard, console if console.is_terminal else Console(width=100))
