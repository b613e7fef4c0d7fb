"""Where commands print: tables as wide as the terminal, or 100 columns; bars on stderr."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


NARROWEST = 60
"""Columns of the widest table that still shows every number; a narrower terminal wraps its lines."""


def console(columns: int = 100) -> "Console":
    """Standard output; so many columns where it is no terminal."""
    from rich.console import Console

    terminal = Console(highlight=False)
    if terminal.is_terminal and terminal.width >= NARROWEST:
        return terminal
    return Console(width=NARROWEST if terminal.is_terminal else columns, highlight=False)


def plain_table(*headings: str, numbers: tuple[str, ...] = ()) -> "Table":
    """A table with one rule under its head; columns in `numbers` follow, aligned to the right.

    Where the terminal is narrow, text is folded; numbers never are.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def on_terminal() -> bool:
    """Whether a progress bar has somebody to look at it."""
    return sys.stderr.isatty()
