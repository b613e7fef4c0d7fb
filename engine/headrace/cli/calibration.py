"""headrace calibration: the result of a fit, shown and adopted."""

from pathlib import Path

import click

from headrace.cli.options import FILE
from headrace.cli.output import console, plain_table

KEPT = "data/calibration"


@click.group()
def calibration() -> None:
    """Show a fit to published numbers, and adopt its values."""


@calibration.command()
@click.argument("file", type=FILE)
@click.option(
    "--markdown", "as_markdown", is_flag=True, help="Tables in Markdown, as in docs/calibration.md."
)
def show(file: Path, as_markdown: bool) -> None:
    """Print a fit: errors before and after, parameters.

    Of each parameter: start, fitted value, bounds, and what the rows say about it.

    FILE: fit.json, as `make calibrate` writes it.
    """
    from headrace.calibration.document import read_document
    from headrace.calibration.show import headline, markdown, sections

    found = read_document(file)
    if as_markdown:
        click.echo(markdown(found), nl=False)
        return
    out = console()
    out.print(headline(found))
    for section in sections(found):
        shown = plain_table(*section.headings[: section.labels], numbers=section.headings[section.labels :])
        for row in section.rows:
            shown.add_row(*row)
        out.print(f"\n[bold]{section.title}[/bold]", shown, *section.notes, sep="\n")
    out.print(f"\nTo run studies with these values: headrace calibration adopt {file}", soft_wrap=True)


@calibration.command()
@click.argument("file", type=FILE)
@click.option("--study", default="stream2llm", show_default=True, help="Whose fit it is.")
def adopt(file: Path, study: str) -> None:
    """Write fitted values into config/.

    The fit itself is kept under data/calibration.

    FILE: fit.json, as `make calibrate` writes it. Only the numbers change; comments are yours to correct.
    """
    from headrace.calibration.adopt import adopt as write
    from headrace.cli.configuration import ROOT, read_configuration
    from headrace.errors import HeadraceError, nearest

    config = read_configuration()
    if study not in config.get("fit", {}):
        raise HeadraceError("--study", f"there is no fit of {study!r}", nearest(study, config.get("fit", {})))
    kept = ROOT / KEPT / f"{study}.json"
    touched = write(file, config["files"], ROOT, kept)
    for path in (*touched, kept):
        click.echo(path.relative_to(ROOT))
