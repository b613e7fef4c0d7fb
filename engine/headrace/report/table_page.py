"""A table as a page of its own: sorted by a click on a heading, searched, filtered by columns."""

import csv
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import read_text, write_text
from headrace.report.page import element, page, text

FILTERED_ROWS = 30
CHOICES = 20


@dataclass(frozen=True, slots=True)
class Column:
    """How a column is shown: what it means, and how its text in the file becomes the text on the page.

    `marked` columns give every cell its text as a CSS class.
    """

    meaning: str = ""
    shown: Callable[[str], str] = str
    marked: bool = False


PLAIN = Column()


def table_html(
    title: str,
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    notes: Iterable[str] = (),
    columns: dict[str, Column] | None = None,
) -> str:
    """The page of a table: `header` and `rows` are plain texts, `notes` paragraphs above the table.

    Columns whose texts are all numbers are aligned right and sorted by value. With more than `FILTERED_ROWS`
    rows, columns of few different texts get a filter. `columns` (name -> Column) says what is shown otherwise
    than it stands in `rows`. Everything is escaped. Raises HeadraceError for a row of another length.
    """
    body = [element("h1", text(title)), *(element("p", text(note)) for note in notes)]
    body.append(searchable(header, rows, columns, title))
    return page(title, "\n".join(body), style="table_page.css", script="table_page.js")


def searchable(
    header: Sequence[str],
    rows: Iterable[Sequence[str]],
    columns: dict[str, Column] | None = None,
    place: object = "table",
) -> str:
    """Markup of a table with its filters, as in `table_html`; `place` is what an error names."""
    rows, columns = [list(row) for row in rows], columns or {}
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            problem = f"row {number} has {len(row)} of {len(header)} fields"
            raise HeadraceError(place, problem, "one field per column")
    looks = [columns.get(name, PLAIN) for name in header]
    fields = [[row[number] for row in rows] for number in range(len(header))]
    kinds = ["number" if _is_numeric(texts) else "" for texts in fields]
    controls = _controls(header, fields) if len(rows) > FILTERED_ROWS else ""
    return "\n".join(filter(None, (_meanings(header, looks), controls, _table(header, rows, looks, kinds))))


def write_csv_page(source: Path, out: Path, title: str, notes: Iterable[str] = ()) -> None:
    """Write the page of a CSV file whose first row is its header.

    Raises HeadraceError when the file is missing, unreadable, empty or has a row of another length.
    """
    header, rows = read_csv(source)
    write_text(out, table_html(title, header, rows, notes))


def read_csv(source: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV file, as texts; errors as in `write_csv_page`."""
    lines = csv.reader(read_text(source).splitlines())
    header = next(lines, None)
    if not header:
        raise HeadraceError(source, "is empty", "make it again")
    rows = []
    for row in lines:
        if len(row) != len(header):
            place, problem = f"{source}: line {lines.line_num}", f"has {len(row)} of {len(header)} fields"
            raise HeadraceError(place, problem, "make it again")
        rows.append(row)
    return header, rows


def _is_numeric(texts: list[str]) -> bool:
    given = [field for field in texts if field]
    try:
        return bool(given) and all(not math.isnan(float(field)) for field in given)
    except ValueError:
        return False


def _meanings(header: Sequence[str], looks: list[Column]) -> str:
    told = [(name, look.meaning) for name, look in zip(header, looks, strict=True) if look.meaning]
    if not told:
        return ""
    items = "".join(element("dt", text(name)) + element("dd", text(meaning)) for name, meaning in told)
    return element("details", element("summary", "What the columns mean") + element("dl", items))


def _controls(header: Sequence[str], fields: list[list[str]]) -> str:
    found = ['<input type="search" placeholder="Search all columns" aria-label="Search all columns">']
    for place, (name, texts) in enumerate(zip(header, fields, strict=True)):
        choices = sorted(set(texts), key=_order)
        if 1 < len(choices) <= CHOICES:
            options = "".join(
                element("option", text(choice or "(none)"), value=f"={choice}") for choice in choices
            )
            head = element("option", f"{text(name)}: all")
            label = f"filter by {name}"
            found.append(element("select", head + options, data_column=str(place), aria_label=label))
    found.append('<button type="button">Show all</button><output></output>')
    return element("form", "".join(found))


def _order(choice: str) -> tuple[bool, float, str]:
    return (False, float(choice), "") if _is_numeric([choice]) else (True, 0.0, choice)


def _table(header: Sequence[str], rows: list[list[str]], looks: list[Column], kinds: list[str]) -> str:
    heads = "".join(
        element("th", element("button", text(name), type="button"), scope="col", class_=kind)
        for name, kind in zip(header, kinds, strict=True)
    )
    lines = [
        "<tr>"
        + "".join(_cell(field, look, kind) for field, look, kind in zip(row, looks, kinds, strict=True))
        + "</tr>"
        for row in rows
    ]
    body = "\n".join(lines)
    return f'<table class="sortable">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>'


def _cell(field: str, look: Column, kind: str) -> str:
    shown = look.shown(field) if field else ""
    classes = f"{kind} {field if look.marked else ''}".strip()
    return element("td", text(shown), class_=classes, data_value=field if shown != field else "")
