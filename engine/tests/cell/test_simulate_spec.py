"""headrace simulate --spec: a cell from its files."""

import json

import polars as pl
import pytest
from click.testing import CliRunner

from headrace import cell
from headrace.cli import main


def simulate(*arguments):
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def files(toy):
    flags = ("--spec", toy.spec_file), ("--out", toy.out)
    flags += tuple((f"--{name.replace('_', '-')}", path) for name, path in toy.paths.items())
    return [part for flag in flags for part in flag]


def test_writes_what_run_writes_and_a_summary(toy, tmp_path):
    assert simulate(*files(toy)).exit_code == 0
    assert {path.name for path in toy.out.iterdir()} == {
        "requests.parquet", "cell.json", "run.json", "summary.json",
    }  # fmt: skip
    cell.run(toy.spec, out=tmp_path / "other", **toy.paths)
    for name in ("requests.parquet", "cell.json"):
        assert (toy.out / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_the_summary_by_hand(toy):
    """Both requests have their first token at 8, handed over at 4; they started at 1 and 3."""
    assert simulate(*files(toy)).exit_code == 0
    found = json.loads((toy.out / "summary.json").read_text())
    assert found["mean_ttft_ms"] == found["median_ttft_ms"] == pytest.approx(4000)
    assert found["mean_e2el_ms"] == pytest.approx(6000)  # of 7 and 5 s
    assert found["duration"] == pytest.approx(7)  # from 1 to 8
    assert found["request_throughput"] == pytest.approx(2 / 7)
    assert found["offered_load"] == pytest.approx(5 / 3)  # busy for 5 s, queries start within 3
    assert found["overloaded_worlds"] == 1
    assert found["against"] == [] and found["range"] == {}
    assert found["simulated"] is True and "performance model model" in found["provenance"]


def test_overload_is_said(toy):
    assert "Overload in worlds: fcfs 1/1" in simulate(*files(toy)).stdout


def test_the_specs_policy_beside_others(toy):
    result = simulate(*files(toy), "--against", "lcas", "--json")
    assert [other["policy"] for other in json.loads(result.stdout)["against"]] == ["lcas"]
    assert pl.read_parquet(toy.out / "lcas" / "requests.parquet").height == 2
    assert (toy.out / "fcfs" / "cell.json").exists()


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
    result = simulate(*files(toy))
    assert result.exit_code == 1
    assert message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not result.stdout and not toy.out.exists()


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (("--qps", 2), "--qps: says what --spec says too; write it into the spec"),
        (("--policy", "lcas"), "--policy: says what --spec says too"),
        (("--against", "fcfs"), "there are two policies 'fcfs'"),
        (("--timeline", "a.svg", "--world", 1), "--world: there is no world 1"),
    ],
)
def test_options_that_a_spec_forbids(toy, extra, message):
    result = simulate(*files(toy), *extra)
    assert result.exit_code == 1
    assert message in result.stderr and len(result.stderr.splitlines()) == 1
    assert not toy.out.exists()


@pytest.mark.parametrize("name", ["chunks", "arrivals", "perf-model"])
def test_a_spec_needs_its_files(toy, name):
    arguments = files(toy)
    place = arguments.index(f"--{name}")
    del arguments[place : place + 2]
    assert f"--spec: --{name} is missing" in simulate(*arguments).stderr


def test_no_message_names_the_folder_for_what_is_made_on_the_way(toy):
    """A scheduler that lets nobody run."""
    policy = toy.out.parent / "lazy.py"
    policy.write_text(
        "from headrace.scheduling import Plan\n"
        "class Lazy:\n"
        "    def __init__(self, eviction, limits): pass\n"
        "    def event(self, request, kind, now_s): pass\n"
        "    def plan(self, now_s, ledger): return Plan()\n"
        "    def stepped(self, plan, seconds, now_s): pass\n"
    )
    toy.spec_file.write_text(json.dumps(toy.spec | {"policy": f"{policy}:Lazy"}))
    result = simulate(*files(toy))
    assert result.stderr.startswith("headrace: Lazy: world 0: requests can never be served: request 0")
    assert result.exit_code == 1 and not toy.out.exists()
