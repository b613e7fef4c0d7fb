"""The scorecard as a page: every row, searched and filtered, with errors in percent."""

from collections.abc import Iterable
from pathlib import Path

from headrace.files import write_text
from headrace.report.columns import SCORED
from headrace.report.facts import gather
from headrace.report.table_page import read_csv, table_html
from headrace.scorecard.score import read

ROLES = ("seen", "calibrated", "input", "held_out")


def write_scorecard_page(scorecard: Path, cells: Iterable[Path], out: Path) -> None:
    """Write the page of a scorecard CSV, whose reproduced numbers come from `cells` (their cell.json).

    Raises HeadraceError when the scorecard is missing, cut short or another table.
    """
    read(scorecard)
    header, rows = read_csv(scorecard)
    role = header.index("role")
    rows.sort(key=lambda row: ROLES.index(row[role]))
    note = f"Published numbers beside ours, one row each. Ours are {gather(cells, ()).provenance()}."
    write_text(out, table_html("Scorecard", header, rows, [note], SCORED))
