"""headrace simulate --timeline."""

import sys

import pytest

SMALL = ("--queries", 25)


@pytest.mark.parametrize(
    "options", [(), ("--window", "2:9"), ("--world", 1, "--worlds", 2), ("--no-stream",)]
)
def test_a_picture_beside_the_table(headrace, tmp_path, options):
    result = headrace("simulate", *SMALL, "--timeline", "a.svg", *options)
    assert result.exit_code == 0, result.stderr
    assert "mean_ttft_ms" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["a.svg"]


def test_the_picture_is_the_same_every_time_and_shows_the_first_policy(headrace, tmp_path):
    assert headrace("simulate", *SMALL, "--timeline", "a.svg").exit_code == 0
    assert headrace("simulate", *SMALL, "--timeline", "b.svg", "--against", "mcps").exit_code == 0
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()


def test_without_matplotlib_it_says_what_to_install(headrace, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("matplotlib", "headrace.plots."))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    result = headrace("simulate", *SMALL, "--timeline", "a.svg")
    assert result.exit_code == 1
    assert (
        result.stderr == "headrace: --timeline: matplotlib is not installed; pip install 'headrace[plots]'\n"
    )
