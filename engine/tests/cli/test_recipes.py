"""The recipes of the documents, followed to the letter."""

import re
import textwrap
from pathlib import Path

import polars as pl
import pytest
import yaml

from headrace.perf import build

REPOSITORY = Path(__file__).parents[3]


def blocks(document: str, containing: str) -> str:
    """The one block of code of a document that contains a text."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    found = [textwrap.dedent(code) for code in re.findall(r"^ *```\w*\n(.*?)^ *```", text, re.M | re.S)]
    (block,) = [code for code in found if containing in code]
    return block


@pytest.mark.parametrize("document", ["README.md", "docs/extending.md"])
def test_the_policy_is_the_one_that_the_command_shows_and_runs(headrace, mine, document):
    block = blocks(document, "class Mine")
    shown = headrace("policies").stdout.split("first:\n")[1].splitlines()[:-1]
    code = [line for line in block.splitlines() if line and '"""' not in line]
    assert [line.removeprefix("  ") for line in shown if line] == code
    mine(block)
    options = ("--policy", "mine.py:Mine", "--against", "default_vllm")
    assert headrace("simulate", "--queries", 5, *options).exit_code == 0


def test_the_chunk_table_is_served(headrace, tmp_path):
    exec(compile(blocks("docs/extending.md", "write_table("), "extending.md", "exec"), {})
    assert headrace("workload", "check", "table.parquet", "arrivals.parquet").exit_code == 0
    result = headrace("simulate", "--workload", "table.parquet", "--arrivals", "arrivals.parquet")
    assert result.exit_code == 0, result.stderr


def test_the_gpu_gets_a_performance_model_and_serves(headrace, tmp_path):
    entries = yaml.safe_load(blocks("docs/extending.md", "provider: roofline"))
    ((name, entry),) = entries.items()
    (tmp_path / "hardware.yaml").write_text(yaml.safe_dump(entries))
    model = tmp_path / Path(entry["perf_model"]["file"]).name
    build("roofline", name, tmp_path / "hardware.yaml", REPOSITORY / "config/models.yaml", model)
    entry["perf_model"]["file"] = str(model)
    (tmp_path / "top.yaml").write_text(yaml.safe_dump({"hardware": entries}))
    result = headrace("simulate", "--config", "top.yaml", "--hardware", name, "--queries", 5)
    assert result.exit_code == 0, result.stderr


def test_every_column_of_a_requests_table_is_described(headrace, tmp_path):
    assert headrace("simulate", "--queries", 5, "--out", "out").exit_code == 0
    text = (REPOSITORY / "docs/data-formats.md").read_text(encoding="utf-8")
    section = text.split("## requests.parquet")[1].split("## cell.json")[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| ")]
    columns = pl.read_parquet(tmp_path / "out/requests.parquet").columns
    assert set(columns) <= {name.strip() for row in rows for name in row.split(",")}
