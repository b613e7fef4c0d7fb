"""Parts of a report page: sections, definitions, small tables. Texts in, markup out."""

from collections.abc import Iterable, Sequence

from headrace.report.page import element, text


def section(title: str, content: str) -> str:
    """A section with its heading; `content` is markup."""
    return element("section", element("h2", text(title)) + content)


def definitions(pairs: dict[str, str]) -> str:
    """A list of names and what they stand for."""
    return element(
        "dl", "".join(element("dt", text(name)) + element("dd", text(value)) for name, value in pairs.items())
    )


def grid(head: Sequence[str], rows: Iterable[Sequence[str]], numbers: int = 0) -> str:
    """A table; its last `numbers` columns are aligned right. It scrolls sideways where it is too wide."""
    first = len(head) - numbers
    lines = [_line("th", head, first), *(_line("td", row, first) for row in rows)]
    table = element("table", element("thead", lines[0]) + element("tbody", "\n".join(lines[1:])))
    return element("div", table, class_="grid")


def _line(tag: str, fields: Sequence[str], first: int) -> str:
    cells = (
        element(tag, text(field), class_="number" if place >= first else "")
        for place, field in enumerate(fields)
    )
    return element("tr", "".join(cells))
