import polars as pl
import pytest
from click.testing import CliRunner

from headrace.cli import main
from headrace.scheduling import EVICTIONS, POLICIES


def invoke(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def options(toy):
    spec, chunks, arrivals, perf_model = toy.spec_file, *toy.paths.values()
    return (
        "--spec",
        spec,
        "--chunks",
        chunks,
        "--arrivals",
        arrivals,
        "--perf-model",
        perf_model,
        "--out",
        toy.out,
    )


def test_policies_lists_every_name_with_a_sentence():
    lines = invoke("policies").output.splitlines()
    assert len(lines) == len(POLICIES) + len(EVICTIONS)
    assert all(line.rstrip().endswith(".") for line in lines)


def test_cell_writes_the_tables(toy):
    assert invoke("cell", *options(toy)).exit_code == 0
    assert pl.read_parquet(toy.out / "requests.parquet").height == 2
    assert {path.name for path in toy.out.iterdir()} == {"requests.parquet", "cell.json", "run.json"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"policy": "fcfs"}', "key 'backend' is missing"),
        ("[1]", "a mapping of keys is needed"),
        ('{"a":', "not valid JSON"),
    ],
)
def test_a_bad_spec_is_one_line_and_exit_code_1(toy, text, message):
    toy.spec_file.write_text(text)
    result = invoke("cell", *options(toy))
    assert result.exit_code == 1
    assert message in result.output and len(result.output.splitlines()) == 1
    assert not toy.out.exists()
