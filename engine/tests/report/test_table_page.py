"""A table as a page: what it shows is what it was given, whatever that is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from web_page import Page

from headrace.errors import HeadraceError
from headrace.report import Column, table_html, write_csv_page

HOSTILE = "</td><script>alert(1)</script> & \"quoted\" 'too' <b>"
SHOWN = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20)


def test_every_text_is_shown_literally(read_page):
    page = read_page(table_html(HOSTILE, [HOSTILE], [[HOSTILE]], notes=[HOSTILE]))
    assert page.tags.count("script") == 1
    assert "b" not in page.tags
    assert page.texts["h1"] == page.texts["p"] == page.texts["title"] == [HOSTILE]
    assert page.tables == [[[HOSTILE], [HOSTILE]]]


@given(st.lists(st.lists(SHOWN, min_size=3, max_size=3), max_size=40))
def test_the_rows_come_back(rows):
    page = Page(table_html("t", ["a", "b", "c"], rows))
    assert page.tables[-1][1:] == rows


def test_numbers_are_aligned_right_and_empty_fields_are_no_number():
    page = table_html("t", ["name", "value", "none"], [["a", "1.5", ""], ["b", "", ""], ["c", "-2e3", ""]])
    assert page.count('class="number"') == 4
    assert '<td class="number">-2e3</td>' in page


def test_a_column_is_shown_otherwise_and_sorted_by_what_it_is():
    columns = {
        "error": Column("how far off", shown=lambda field: f"{float(field):+.0%}"),
        "verdict": Column(marked=True),
    }
    page = table_html("t", ["error", "verdict"], [["0.125", "outside"], ["", ""]], columns=columns)
    assert '<td class="number" data-value="0.125">+12%</td><td class="outside">outside</td>' in page
    assert "<dt>error</dt><dd>how far off</dd>" in page


def test_long_tables_get_a_filter_for_columns_of_few_texts(read_page):
    rows = [[str(row), "even" if row % 2 == 0 else "odd", "same"] for row in range(31)]
    page = read_page(table_html("t", ["row", "parity", "constant"], rows))
    assert page.texts["option"] == ["parity: all", "even", "odd"]
    assert "select" not in read_page(table_html("t", ["row", "parity", "constant"], rows[:30])).tags


def test_choices_that_are_numbers_stand_in_their_order(read_page):
    rows = [[rate] for rate in ("10.0", "", "0.5", "2.0") * 8]
    assert read_page(table_html("t", ["qps"], rows)).texts["option"] == [
        "qps: all",
        "0.5",
        "2.0",
        "10.0",
        "(none)",
    ]


def test_a_row_of_another_length_is_refused():
    with pytest.raises(HeadraceError, match="t: row 2 has 1 of 2 fields"):
        table_html("t", ["a", "b"], [["1", "2"], ["3"]])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "no such file"),
        ("", "is empty"),
        ("a,b\n1,2\n3\n", "line 3: has 1 of 2 fields"),
        (b"\xff\xfe", "can't be read"),
    ],
)
def test_a_bad_csv_file_is_one_line_and_leaves_no_page(tmp_path, content, told):
    source, out = tmp_path / "table.csv", tmp_path / "table.html"
    if content is not None:
        source.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(HeadraceError, match=told) as error:
        write_csv_page(source, out, "t")
    assert str(source) in str(error.value)
    assert "\n" not in str(error.value)
    assert not out.exists()


def test_a_csv_file_becomes_the_same_page_twice(tmp_path, read_page):
    source = tmp_path / "table.csv"
    source.write_text('name,value\n"a, b",1\nc,2\n', encoding="utf-8")
    for name in ("one", "two"):
        write_csv_page(source, tmp_path / f"{name}.html", "t")
    assert read_page(tmp_path / "one.html").tables == [[["name", "value"], ["a, b", "1"], ["c", "2"]]]
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
