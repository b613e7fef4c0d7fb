"""Fitted values in the configuration's files: the numbers change, and nothing else."""

import difflib
import json
import math
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from headrace.calibration.adopt import adopt, edited
from headrace.calibration.scalars import yaml_number
from headrace.cli import main
from headrace.config import read_all
from headrace.errors import HeadraceError

REPOSITORY = Path(__file__).parents[3]
TEXT = """\
# Sheets.
gpu:
  blocks: 80000      # a pool: of all GPUs
  note: >-
    blocks: none of these lines
    is a key
  software: &software   # shared
    step_s: 0.008    # per step
    swap_s: 1.92e-4
other:
  blocks: 7
  software: *software
"list":
  - {blocks: 3}
p99.9: &tail 105000# no comment
"""


def test_only_the_numbers_change_and_comments_keep_their_column():
    text = edited(
        TEXT, {"gpu/blocks": 104286, "gpu/software/step_s": 0.0043, "gpu/software/swap_s": 2e-7}, "f"
    )
    changes = [line for line in difflib.ndiff(TEXT.splitlines(), text.splitlines()) if line[0] in "+-"]
    assert changes == [
        "-   blocks: 80000      # a pool: of all GPUs",
        "+   blocks: 104286     # a pool: of all GPUs",
        "-     step_s: 0.008    # per step",
        "+     step_s: 0.0043   # per step",
        "-     swap_s: 1.92e-4",
        "+     swap_s: 2.0e-07",
    ]


def test_a_comment_gives_way_to_a_longer_number():
    assert edited("a: 1 # one\n", {"a": 1234567}, "f") == "a: 1234567 # one\n"


def test_what_an_alias_repeats_follows():
    values = {"gpu/software/step_s": 0.004, "other/software/step_s": 0.004}
    text = edited(TEXT, values, "f")
    assert "*software" in text
    assert yaml.safe_load(text)["other"]["software"]["step_s"] == 0.004


def test_a_value_that_stands_there_already_leaves_the_bytes_alone():
    assert edited(TEXT, {"gpu/blocks": 80000, "gpu/software/swap_s": 0.000192}, "f") == TEXT


def test_line_ends_and_a_missing_last_one_stay():
    assert edited("a: 1\r\nb:\r\n  c: 2", {"b/c": 3}, "f") == "a: 1\r\nb:\r\n  c: 3"


@pytest.mark.parametrize(
    ("text", "path", "line"),
    [
        ("a: {b: 1}\n", "a/b", "f: key a.b: is no number on a line of its own; give it its own line"),
        ("a:\n  b:\n    1\n", "a/b", "f: key a.b: is no number on a line of its own"),
        ("a: text\n", "a", "f: key a: is no number on a line of its own"),
        ("a: &x {b: 1}\nc: *x\n", "c/b", "f: key c.b: is no number on a line of its own"),
        ("a: 1\n", "b", "there is no 'b'; known: a"),
        ("s: |\n  a: 1\nb: {s: {a: 2}}\n", "b/s/a", "f: key b.s.a: is no number on a line of its own"),
        ("a: &x 1\nb: *x\n", "a", "f: would say something else than before, not only the fitted values"),
    ],
)
def test_what_can_not_be_written_is_refused_in_one_line(text, path, line):
    with pytest.raises(HeadraceError) as error:
        edited(text, {path: 5}, "f")
    assert line in str(error.value)
    assert len(str(error.value).splitlines()) == 1


def test_an_edit_that_would_say_something_else_is_refused():
    """The first line that looks like the key is inside a text."""
    text = "a: |\n  b: 1\na2: 1\n"
    doubled = "x: >-\n  k:\n   v: 1\nk:\n  v: 1\n"
    assert yaml.safe_load(edited(text, {"a2": 2}, "f"))["a2"] == 2
    assert yaml.safe_load(edited(doubled, {"k/v": 2}, "f"))["k"] == {"v": 2}
    hidden = "k: # none\n  >-\n  v: 1\nm:\n  k:\n    v: 1\n"
    with pytest.raises(HeadraceError):
        edited(hidden, {"k/v": 2}, "f")


@given(st.floats(1e-9, 1e9) | st.integers(-(10**9), 10**9))
def test_every_number_is_read_back_as_it_was(value):
    value = float(f"{value:.4g}") if isinstance(value, float) else value
    found = yaml.safe_load(f"a: {yaml_number(value)}")["a"]
    assert not isinstance(found, str)
    assert found == value


@pytest.fixture
def copied(tmp_path):
    """A copy of config/ with the packages' other files beside it."""
    shutil.copytree(REPOSITORY / "config", tmp_path / "config")
    return tmp_path


def result(folder: Path, config: dict, factor: float) -> Path:
    """A made-up fit: every declared parameter moved by a factor."""
    parameters = {}
    for path, keys in config["fit"]["stream2llm"]["parameters"].items():
        fitted = keys["start"] * factor
        fitted = round(fitted) if keys.get("integer") else float(f"{fitted:.4g}")
        rest = {"scale": "linear", "integer": False, "times": {}} | keys
        parameters[path] = rest | {"fitted": fitted}
    sections = {key: {} for key in ("rows", "summary", "loss", "search", "made_with")}
    file = folder / "fit.json"
    file.write_text(json.dumps({"parameters": parameters, **sections}))
    return file


def test_the_projects_configuration_takes_a_fit(config, copied):
    file = result(copied, config, 0.95)
    kept = copied / "data/calibration/stream2llm.json"
    touched = adopt(file, config["files"], copied, kept)
    assert {path.relative_to(copied).as_posix() for path in touched} == {
        "config/hardware.yaml", "config/workloads/crawler.yaml", "config/workloads/anns.yaml",
    }  # fmt: skip
    assert kept.read_bytes() == file.read_bytes()
    for path in touched:
        old = (REPOSITORY / path.relative_to(copied)).read_text().splitlines()
        new = path.read_text().splitlines()
        for before, after in zip(old, new, strict=True):
            assert before.partition(":")[0] == after.partition(":")[0]
            assert before.partition("#")[2] == after.partition("#")[2]
    files = {**config["files"], "hardware": str(copied / "config/hardware.yaml")}
    files["generators"] = {
        name: str(copied / f"config/workloads/{name}.yaml") for name in ("crawler", "anns")
    }
    (copied / "own.yaml").write_text(yaml.safe_dump({"files": files}))
    adopted = read_all(["config/config.yaml", copied / "own.yaml"])
    step_s = config["fit"]["stream2llm"]["parameters"]["hardware/h200-tp2/overheads/step_s"]["start"] * 0.95
    for hardware in ("h200-tp2", "h100-tp2", "a40-tp1"):
        assert math.isclose(adopted["hardware"][hardware]["overheads"]["step_s"], step_s, rel_tol=1e-3)
    pool = adopted["hardware"]["h200-tp2"]
    assert pool["host_blocks"] == 2 * pool["kv_blocks"]


def test_the_command_writes_beside_the_package(config, copied, monkeypatch):
    shutil.copytree(REPOSITORY / "data/perf_models", copied / "data/perf_models")
    monkeypatch.setattr("headrace.cli.configuration.ROOT", copied)
    done = CliRunner().invoke(main, ["calibration", "adopt", str(result(copied, config, 0.9))])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == "data/calibration/stream2llm.json"
    assert "config/hardware.yaml" in done.stdout.splitlines()
    assert (copied / "data/calibration/stream2llm.json").exists()


def test_a_study_that_has_no_fit_is_refused(config, copied, monkeypatch):
    shutil.copytree(REPOSITORY / "data/perf_models", copied / "data/perf_models")
    monkeypatch.setattr("headrace.cli.configuration.ROOT", copied)
    before = (copied / "config/hardware.yaml").read_bytes()
    file = str(result(copied, config, 0.9))
    done = CliRunner().invoke(main, ["calibration", "adopt", file, "--study", "stream2lm"])
    assert done.exit_code == 1
    line = "headrace: --study: there is no fit of 'stream2lm'; did you mean 'stream2llm'?"
    assert done.stderr.splitlines() == [line]
    assert (copied / "config/hardware.yaml").read_bytes() == before


def test_nothing_is_written_when_one_value_can_not_be(config, copied):
    file = result(copied, config, 0.95)
    anns = copied / "config/workloads/anns.yaml"
    anns.write_text(anns.read_text().replace("first_pool_share:", "first_share:"))
    before = {path: path.read_bytes() for path in (copied / "config").rglob("*.yaml")}
    with pytest.raises(HeadraceError, match="first_pool_share"):
        adopt(file, config["files"], copied, copied / "kept.json")
    assert {path: path.read_bytes() for path in (copied / "config").rglob("*.yaml")} == before
    assert not (copied / "kept.json").exists()


def test_a_path_outside_the_files_is_refused(config, copied):
    file = result(copied, config, 0.95)
    document = json.loads(file.read_text())
    document["parameters"]["seed"] = next(iter(document["parameters"].values()))
    file.write_text(json.dumps(document))
    with pytest.raises(HeadraceError, match=r"^seed: stands in no file of the configuration's key files"):
        adopt(file, config["files"], copied, copied / "kept.json")
