"""The frame of a workflow script: one line for bad input, everything in the log."""

import re
import subprocess
import sys

import pytest

PROLOGUE = """
import sys, warnings
from headrace.errors import HeadraceError
from headrace.files import atomic
from headrace.script import script
with script(sys.argv[1]):
"""


@pytest.fixture
def run(tmp_path):
    """Run a body inside the frame; returns the finished process and the log's text."""

    def call(body):
        log = tmp_path / "logs" / "rule.log"
        program = PROLOGUE + "".join(f"    {line}\n" for line in body.splitlines())
        done = subprocess.run(
            [sys.executable, "-c", program, str(log)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        return done, log.read_text()

    return call


def test_a_clean_run_says_what_it_says_twice(run):
    done, log = run("print('read 3 traces')\nprint('skipped 1', file=sys.stderr)")
    assert (done.returncode, done.stdout) == (0, "read 3 traces\n")
    assert log == "read 3 traces\nskipped 1\n"
    said, ended = done.stderr.splitlines()
    assert said == "skipped 1"
    assert re.fullmatch(r".*logs/rule: \d+\.\d s", ended)  # no terminal: the end of a job is a line


def test_bad_input_is_one_line_on_the_terminal_and_in_the_log(run, tmp_path):
    done, log = run(
        "with atomic('out.csv') as temporary:\n"
        "    temporary.write_text('half')\n"
        "    raise HeadraceError('trace.csv: row 3', 'time is NaN', 'give seconds')"
    )
    assert done.returncode == 1
    assert done.stderr == log == "trace.csv: row 3: time is NaN; give seconds\n"
    assert done.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]


def test_any_other_error_keeps_its_traceback(run):
    done, log = run("1 / 0")
    assert done.returncode == 1
    assert "ZeroDivisionError" in log
    assert done.stderr == log


def test_warnings_are_in_the_log(run):
    done, log = run("warnings.warn('R2 of the fit is 0.85')")
    assert done.returncode == 0
    assert "R2 of the fit is 0.85" in log


def test_progress_bars_stay_out_of_the_log(run):
    done, log = run("sys.stderr.write('\\r 10 %')\nsys.stderr.write('\\x1b[2K 20 %')\nprint('done')")
    assert "20 %" in done.stderr
    assert log == "done\n"


def test_an_interrupt_needs_no_traceback(run, tmp_path):
    done, log = run("with atomic('out.csv') as temporary:\n    raise KeyboardInterrupt")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
    assert log == "interrupted\n"
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
