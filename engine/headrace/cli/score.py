"""headrace score: a scorecard summed up."""

from pathlib import Path

import click

from headrace.cli.output import console


@click.command()
@click.argument("scorecard", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def score(scorecard: Path) -> None:
    """Sum up a scorecard: errors by workload and artifact, beside those of no simulator at all."""
    from headrace.scorecard import print_summary

    print_summary(scorecard, console())
