"""headrace score: a scorecard summed up."""

from pathlib import Path

import click

from headrace.cli.options import FILE
from headrace.cli.output import console


@click.command()
@click.argument("scorecard", type=FILE)
def score(scorecard: Path) -> None:
    """Sum up a scorecard, beside a baseline without a simulator.

    Errors by workload and artifact, the worst rows, and how many targets are met where their table lies
    beside it.
    """
    from headrace.scorecard import print_summary
    from headrace.tables.targets import counted_in

    print_summary(scorecard, console())
    table = scorecard.parent / "tables" / "targets.csv"
    if table.is_file():
        console().print(f"{counted_in(table)}; see {table.with_suffix('.md')}", highlight=False)
