import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.tables import markdown


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("default_vllm, h200-tp2.silicon", "default_vllm, h200-tp2.silicon"),
        ("_mine_ and a__b", r"\_mine\_ and a\_\_b"),
        ("a|b *c* `d` [e](f) <g> $h$ ~i~ \\", r"a\|b \*c\* \`d\` \[e\](f) \<g\> \$h\$ \~i\~ \\"),
        ("two\nlines\t apart ", "two lines apart"),
    ],
)
def test_what_markdown_takes_for_a_sign_gets_a_backslash(text, escaped):
    assert markdown.escape(text) == escaped


@given(st.text())
def test_an_escaped_text_is_one_cell_on_one_line(text):
    escaped = markdown.escape(text)
    assert len(escaped.splitlines()) <= 1
    unescaped = re.sub(r"\\(.)", r"", escaped)
    assert not set(unescaped) & set("|`*<>[]$~\\")
    assert re.sub(r"\\(.)", r"\1", escaped) == " ".join(text.split())


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0"),
        (0.02976, "0.0298"),
        (0.1, "0.100"),
        (0.9996, "1.00"),
        (1.005, "1.00"),
        (9.996, "10.0"),
        (12.345, "12.3"),
        (99.96, "100"),
        (271.9, "272"),
        (13006.4, "13,006"),
    ],
)
def test_numbers_have_three_digits_and_no_exponent(value, shown):
    assert markdown.number(value) == shown


@given(st.floats(1e-6, 1e9))
def test_a_number_is_shown_to_half_a_percent(value):
    shown = float(markdown.number(value).replace(",", ""))
    assert shown == pytest.approx(value, rel=0.0051)


def test_counts_and_shares():
    assert [markdown.count(value) for value in (None, 0.0, 1735.0)] == ["-", "0", "1,735"]
    shares = (None, 0.0, 0.016, 0.0997, 0.17, 1.0)
    assert [markdown.percent(share) for share in shares] == ["-", "0%", "1.6%", "10%", "17%", "100%"]
    errors = (-0.45, 0.004, -0.004, 0.052, 2.7)
    assert [markdown.signed_percent(error) for error in errors] == ["-45%", "0%", "0%", "+5%", "+270%"]


def test_a_table_has_its_numbers_flushed_right():
    text = markdown.table(["policy", "", "P50"], [["fcfs", "ours", "1.06 [1, 2]"], ["", "x", "3"]], labels=2)
    assert text.splitlines() == [
        "| policy |      |         P50 |",
        "| ------ | ---- | ----------: |",
        "| fcfs   | ours | 1.06 [1, 2] |",
        "|        | x    |           3 |",
    ]
