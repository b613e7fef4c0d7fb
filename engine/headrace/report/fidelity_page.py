"""The fidelity page for the report: its Markdown with the figures inside, in one file."""

import re
from pathlib import Path

from headrace.errors import HeadraceError
from headrace.files import read_text, write_text
from headrace.report.page import element, page, text

TITLE = "Fidelity"
SIZE = re.compile(r' (?:width|height)="[\d.]+pt"')


def write_fidelity_page(document: Path, figures: list[Path], out: Path) -> None:
    """Write the page of a Markdown file; a picture that it links to is one of the SVG files `figures`.

    They are told by name. Markup inside the Markdown is shown as text, comments are left out. Raises
    HeadraceError for a file that can't be read, a picture that is none of the figures, and a figure that is
    no SVG.
    """
    from markdown_it import MarkdownIt

    drawings = {figure.name: _svg(figure) for figure in figures}

    def picture(renderer, tokens, index, options, environment) -> str:
        name, label = Path(str(tokens[index].attrs["src"])).name, tokens[index].content
        if name not in drawings:
            raise HeadraceError(
                document, f"shows {name}", f"give that figure; there are {', '.join(drawings)}"
            )
        drawing = drawings[name].replace("<svg", f'<svg role="img" aria-label="{text(label)}"', 1)
        return element("span", drawing, class_="figure")

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("image", picture)
    body = parser.render(re.sub(r"<!--.*?-->", "", read_text(document), flags=re.S))
    body = body.replace("<table>", '<div class="grid"><table>').replace("</table>", "</table></div>")
    write_text(out, page(TITLE, element("article", body), style="fidelity_page.css"))


def _svg(figure: Path) -> str:
    """The drawing itself: without XML prologue and metadata, as wide as the page."""
    source = read_text(figure)
    found = re.search(r"<svg .*</svg>", source, re.S)
    if not found:
        raise HeadraceError(figure, "is no SVG", "draw it again")
    drawing = re.sub(r"<metadata>.*?</metadata>", "", found[0], flags=re.S)
    head, rest = drawing.split(">", 1)
    return f"{SIZE.sub('', head)}>{rest}"
