"""What a browser would read in a page."""

from html.parser import HTMLParser

LOADS = {"src", "href", "srcset", "action", "data"}
VOID = {"meta", "input", "link", "img", "br"}


class Page(HTMLParser):
    """Texts of a page by element, its tables row by row, and whatever it would load."""

    def __init__(self, markup: str):
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.texts: dict[str, list[str]] = {}
        self.tables: list[list[list[str]]] = []
        self.feed(markup)
        self.close()
        self.markup = markup

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in LOADS]
        if tag not in VOID:
            self.open.append(tag)
            self.texts.setdefault(tag, []).append("")
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data):
        if self.open:
            self.texts[self.open[-1]][-1] += data
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def definitions(self) -> dict[str, str]:
        return dict(zip(self.texts.get("dt", []), self.texts.get("dd", []), strict=True))
