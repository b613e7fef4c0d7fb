"""The page of a table of the study: its Markdown, then its CSV."""

import pytest

from headrace.errors import HeadraceError
from headrace.report import write_document_page
from headrace.report.document_page import markdown_html

DOCUMENT = """# Table 9: a < b

Simulated. See [table9.csv](table9.csv) and <script>alert(1)</script>.

| policy | crawler |
|:---|---:|
| fcfs | **1.5** |
"""


def test_markdown_is_rendered_without_links_and_without_markup_of_its_own():
    markup = markdown_html(DOCUMENT)
    assert "<h1>Table 9: a &lt; b</h1>" in markup
    assert "See table9.csv and &lt;script&gt;" in markup
    assert '<td style="text-align:right"><strong>1.5</strong></td>' in markup


def test_the_page_has_the_document_and_every_row(tmp_path, read_page):
    (tmp_path / "table9.md").write_text(DOCUMENT, encoding="utf-8")
    (tmp_path / "table9.csv").write_text("policy,rel_error,verdict\nfcfs,-0.5,outside\n", encoding="utf-8")
    write_document_page(tmp_path / "table9.md", tmp_path / "table9.csv", tmp_path / "table9.html")
    page = read_page(tmp_path / "table9.html")
    assert page.tables == [
        [["policy", "crawler"], ["fcfs", "1.5"]],
        [["policy", "rel_error", "verdict"], ["fcfs", "-50.0%", "outside"]],
    ]
    assert page.texts["title"] == ["table9"]


@pytest.mark.parametrize("missing", ["table9.md", "table9.csv"])
def test_a_missing_file_is_one_line(tmp_path, missing):
    for name in {"table9.md", "table9.csv"} - {missing}:
        (tmp_path / name).write_text("a\n1\n", encoding="utf-8")
    with pytest.raises(HeadraceError, match=f"{missing}: no such file"):
        write_document_page(tmp_path / "table9.md", tmp_path / "table9.csv", tmp_path / "table9.html")
    assert not (tmp_path / "table9.html").exists()
