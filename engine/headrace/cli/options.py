"""Types of options and arguments that commands share."""

from pathlib import Path

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)
CONFIG = click.option(
    "--config", type=FILE, multiple=True, help="YAML on top of the project's configuration; repeatable."
)


class Whole(click.IntRange):
    """A whole number from `min` on."""

    name = "whole number"


class Real(click.FloatRange):
    """A number above `min`."""

    name = "number"


COUNT = Whole(min=1)
