"""A table of a study as a page: its Markdown, then every row of its CSV to search and sort."""

from pathlib import Path

from headrace.files import read_text, write_text
from headrace.report.columns import SCORED
from headrace.report.page import element, page
from headrace.report.table_page import read_csv, searchable


def write_document_page(document: Path, table: Path, out: Path) -> None:
    """Write the page of a Markdown file, and below it the CSV file of the same table.

    Markup inside the Markdown is shown as text, links to files beside it become plain words. Raises
    HeadraceError when a file is missing, unreadable, empty or has a row of another length.
    """
    header, rows = read_csv(table)
    body = element("article", markdown_html(read_text(document))) + searchable(header, rows, SCORED)
    write_text(out, page(out.stem, body, style="table_page.css", script="table_page.js"))


def markdown_html(source: str) -> str:
    """Markdown with tables, as markup without links."""
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(source)
    for token in tokens:
        if token.children:
            token.children = [part for part in token.children if part.type not in ("link_open", "link_close")]
    return parser.renderer.render(tokens, parser.options, {})
