"""Numbers and tables as GitHub's Markdown shows them."""

import math
import re
from collections.abc import Sequence

NONE = "-"
_SPECIAL = re.compile(r"([\\`*<>|\[\]~$])|(?<![^\W_])(_)|(_)(?![^\W_])")


def escape(text: object) -> str:
    """Text that stands as it is: what Markdown or a table would take for a sign gets a backslash.

    An underscore inside a word is none. Line ends become spaces.
    """
    return _SPECIAL.sub(r"\\\g<0>", " ".join(str(text).split()))


def number(value: float | None) -> str:
    """Three significant digits, whole from 100 on, thousands apart; a dash for None."""
    if value is None:
        return NONE
    if value == 0:
        return "0"
    digits = 2 - math.floor(math.log10(abs(float(f"{value:.2e}"))))
    return f"{value:,.{max(digits, 0)}f}"


def count(value: float | None) -> str:
    """A whole number, thousands apart; a dash for None."""
    return NONE if value is None else f"{value:,.0f}"


def percent(share: float | None) -> str:
    """A share in percent, one decimal below 10 %; a dash for None."""
    if share is None:
        return NONE
    if share == 0:
        return "0%"
    return f"{share:.1%}" if abs(share) < 0.0995 else f"{share:.0%}"


def signed_percent(share: float) -> str:
    """A relative error in whole percent, with its sign unless it is 0."""
    text = f"{share:+.0%}"
    return "0%" if text[1:] == "0%" else text


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], labels: int) -> str:
    """A table whose first `labels` columns are texts and whose others are numbers, flushed right.

    Headings and cells are Markdown already. Columns are as wide as their widest cell: it is text, too.
    """
    lines = [headings, *rows]
    widths = [max(3, *(len(line[place]) for line in lines)) for place in range(len(headings))]
    ruler = ["-" * width if place < labels else "-" * (width - 1) + ":" for place, width in enumerate(widths)]
    padded = [
        [
            cell.ljust(width) if place < labels else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        for line in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (padded[0], ruler, *padded[1:]))


def heading(text: str, body: list[str]) -> list[str]:
    """A section: `text` as its heading, left out where there is nothing below it."""
    shown = list(filter(None, body))
    return [f"## {escape(text)}", *shown] if shown else []


def captioned(caption: str, body: str) -> str:
    """A table with a line above it, or nothing for no table."""
    return f"**{caption}**\n\n{body}" if body else ""
