"""Pages of a study's report: its front page, its scorecard, and any table; each a file of its own."""

from headrace.report.document_page import write_document_page
from headrace.report.fidelity_page import write_fidelity_page
from headrace.report.front_page import Setting, write_front_page
from headrace.report.scorecard_page import write_scorecard_page
from headrace.report.table_page import Column, table_html, write_csv_page

__all__ = [
    "Column",
    "Setting",
    "table_html",
    "write_csv_page",
    "write_document_page",
    "write_fidelity_page",
    "write_front_page",
    "write_scorecard_page",
]
