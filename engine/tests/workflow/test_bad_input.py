"""Bad input through Snakemake: one line, an exit code, nothing written."""

import shutil

import pytest
from repository_copy import copy_repository, snakemake


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("headrace"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            "workloads: {anns: {wrolds: 3}}\nbackend: vlm\n",
            "own.yaml: key backend: is 'vlm' (string); did you mean 'vllm'?\n"
            "own.yaml: key workloads.anns.wrolds: unknown key; did you mean 'worlds'?\n",
        ),
        (
            "studies: {stream2llm: {grid: {main: {hardware: [h20-tp2]}}}}\n",
            "own.yaml: key studies.stream2llm.grid.main.hardware[0]: unknown hardware 'h20-tp2';"
            " did you mean 'h200-tp2'?\n",
        ),
        (
            "workloads: {crawler: {source: published}}\npublished: {folders: {crawler: traces}}\n",
            "config/config.yaml: key published.revision: is not set, but workloads.crawler.source"
            " is published; name the commit of rbachkaniwala3/stream2llm-data to download, or its folder with"
            " the key data\n",
        ),
    ],
)
def test_a_bad_configuration_ends_before_anything_runs(changes, line, copy):
    (copy / "own.yaml").write_text(changes)
    done = snakemake(copy, "--dry-run", "--configfile", "own.yaml")
    assert done.returncode == 1
    assert done.stderr.replace(f"{copy}/", "").endswith(line)
    told = [text for text in done.stderr.splitlines() if ": key " in text]
    assert len(told) == line.count("\n")
    assert "Traceback" not in done.stderr
    assert not (copy / "results").exists()


def test_a_configuration_that_is_not_yaml_is_one_line(copy):
    file = copy / "config/config.yaml"
    text = file.read_text()
    file.write_text("seed: 1\nresults: [out\n")
    done = snakemake(copy, "--dry-run")
    file.write_text(text)
    assert done.returncode == 1
    assert done.stderr.startswith("config/config.yaml: line 3: not valid YAML (expected ',' or ']'")
    assert done.stderr.count("\n") == 1


def test_a_cell_of_unknown_axes_has_no_rule(copy):
    cell = (
        "results/stream2llm/cells/backend=sim/hardware=h200-tp2/workload=anns/delay=1/"
        "eviction=cost_published/policy=fcfs/stream=true/qps=3.0/cell.json"
    )
    assert snakemake(copy, cell, "--dry-run").returncode == 0
    for known, unknown in (("h200", "h20"), ("fcfs", "fcsf"), ("true", "yes")):
        wrong = cell.replace(known, unknown)
        done = snakemake(copy, wrong, "--dry-run")
        told = done.stdout + done.stderr
        assert done.returncode == 1
        assert f"No rule to produce {wrong}" in told
        assert "InputFunctionException" not in told


def test_bad_traces_end_the_job_in_one_line(copy):
    traces = copy / "traces"
    shutil.copytree(copy / "data/traces/crawler_sample", traces, dirs_exist_ok=True)
    (traces / "query_3.csv").write_text("type,query,startTime,content\ntavily_search,q,0.0,\n")
    (copy / "own.yaml").write_text(
        "workloads: {crawler: {source: traces}}\ntokeniser: {kind: tekken, name: null}\nresults: out\n"
    )
    target = "out/stream2llm/workloads/crawler.parquet"
    done = snakemake(copy, target, "--quiet", "all", "--configfile", "own.yaml")
    assert done.returncode == 1
    log = (copy / "out/logs/stream2llm/tokenise_traces/crawler.log").read_text()
    line = "traces/query_3.csv: column 'endTime' is missing; needed are type, query, startTime, endTime\n"
    assert log == line
    assert line in done.stderr
    assert not list((copy / "out/stream2llm").rglob("*.*"))
