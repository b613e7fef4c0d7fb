"""headrace score: a scorecard summed up."""

from pathlib import Path

import click

from headrace.cli.options import FILE
from headrace.cli.output import console


@click.command()
@click.argument("scorecard", type=FILE)
def score(scorecard: Path) -> None:
    """Sum up a scorecard, beside a baseline without a simulator.

    Errors by workload and artifact, and the worst rows.
    """
    from headrace.scorecard import print_summary

    print_summary(scorecard, console())
