"""What commands print on terminals, wide and narrow."""

import pytest

from headrace.cli import output

NUMBERS = "1.08x (0.99-1.17)", "1,280,000"


@pytest.mark.parametrize("columns", [20, 60, 61, 90])
def test_a_number_is_never_cut_or_folded(monkeypatch, capsys, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal, for rich
    table = output.plain_table("", "what", numbers=("first", "second"))
    table.add_row("total_token_throughput tokens/s", "a long name of a thing", *NUMBERS)
    output.console().print(table)
    lines = capsys.readouterr().out.splitlines()
    assert any(all(number in line for number in NUMBERS) for line in lines)


@pytest.mark.parametrize("command", [(), ("workload",)])
def test_without_a_command_the_help_is_shown_as_it_is(headrace, command):
    result = headrace(*command)
    assert result.exit_code == 2
    assert (result.stdout + result.stderr).startswith("Usage: ")


@pytest.mark.parametrize("command", [(), ("workload",), ("calibration",)])
def test_what_a_command_does_fits_into_a_line(headrace, command):
    assert "..." not in headrace(*command, "--help").stdout.split("Commands:")[1]
