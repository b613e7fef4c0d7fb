"""A web page in one file: nothing is loaded from anywhere, everything that is shown is escaped."""

from html import escape
from pathlib import Path

HERE = Path(__file__).parent


def page(title: str, body: str, style: str, script: str | None = None) -> str:
    """A whole HTML page. `body` is markup; `style` and `script` name files beside this module."""
    code = f"<script>\n{_asset(script)}</script>\n" if script else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{text(title)}</title>\n<style>\n{_asset(style)}</style>\n</head>\n"
        f"<body>\n{body}\n{code}</body>\n</html>\n"
    )


def element(tag: str, content: str, **attributes: str) -> str:
    """One element around `content`, which is markup; attributes are escaped, empty ones left out.

    In the names of attributes `_` stands for `-`, and `class_` for class.
    """
    given = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value}
    shown = "".join(f' {name}="{escape(value)}"' for name, value in given.items())
    return f"<{tag}{shown}>{content}</{tag}>"


def text(value: object) -> str:
    """`value` as markup that shows it literally."""
    return escape(str(value))


def _asset(name: str) -> str:
    return (HERE / name).read_text(encoding="utf-8")
