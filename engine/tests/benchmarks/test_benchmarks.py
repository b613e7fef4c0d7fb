"""The benchmarks measure what they say, on sizes that take no time."""

import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import bench
import simulation

from headrace.config import read_all
from headrace.files import write_json
from headrace.metrics.requests import read_requests
from headrace.scheduling import POLICIES
from headrace.study import cell_spec
from headrace.workload import generate, write_arrivals


@pytest.mark.parametrize("policy", POLICIES)
def test_the_peers_workload_is_served_whole(policy):
    """12 steps of at most 512 tokens for 5,700; two requests in one step save some."""
    result = simulation.prepare_peers(simulation.Peers(requests=20), policy)()
    assert 20 * 5700 / 512 <= result.steps <= 20 * 12
    assert not result.refused


def test_the_process_of_a_cell_writes_its_tables(tmp_path, monkeypatch):
    """What `make bench` times as "a cell's process" serves the cell that it is given."""
    monkeypatch.chdir(Path(__file__).parents[3])
    config = read_all(["config/config.yaml"])
    axes = next(iter(bench.study_cells(config, delay=1, qps=4.0, hardware="h200-tp2", stream=True)))
    chunks, arrivals, spec = (tmp_path / name for name in ("chunks.parquet", "arrivals.parquet", "spec.json"))
    generate("crawler", config["generators"]["crawler"], 1, 7, 20, chunks, progress=False)
    write_arrivals(20, worlds=1, seed=7, out=arrivals)
    write_json(spec, cell_spec(config, "stream2llm", axes) | {"worlds": 1})
    subprocess.run(bench.cell_command(spec, chunks, arrivals, tmp_path / "cell"), check=True)
    assert read_requests(tmp_path / "cell" / "requests.parquet").height == 20
