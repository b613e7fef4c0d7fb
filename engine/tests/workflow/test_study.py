"""The grid of Stream2LLM, and what a cell is run with."""

from collections import Counter

import pytest

from headrace import study
from headrace.axes import axes_of
from headrace.config import read_all


@pytest.fixture(scope="module")
def config(repository):
    return read_all([repository / "config/config.yaml"])


def test_the_grid_is_the_published_one(config):
    grid = study.cells(config["studies"]["stream2llm"], "sim")
    assert len(grid) == 120
    assert len({study.cell_folder(cell) for cell in grid}) == 120
    main = [cell for cell in grid if cell["delay"] == 1]
    assert len(main) == 80
    assert {cell["eviction"] for cell in main} == {"cost_published"}
    assert Counter(cell["hardware"] for cell in main) == {"h200-tp2": 40, "h100-tp2": 40}
    pressure = [cell for cell in grid if cell["delay"] > 1]
    assert {(c["hardware"], c["workload"], c["delay"], c["qps"]) for c in pressure} == {
        ("h200-tp2", "crawler", 10, 4.0),
        ("h200-tp2", "anns", 30, 2.0),
    }
    assert Counter(cell["eviction"] for cell in pressure) == dict.fromkeys(
        ("cost_published", "cost_victim", "recompute", "swap"), 10
    )
    assert all(cell["stream"] or cell["policy"] == "default_vllm" for cell in grid)
    assert {cell["qps"] for cell in main if cell["workload"] == "crawler"} == {0.5, 1.0, 2.0, 4.0}
    assert {cell["qps"] for cell in main if cell["workload"] == "anns"} == {0.25, 0.5, 1.0, 2.0}


def test_the_folder_of_a_cell_gives_its_axes_back(config, tmp_path):
    for cell in study.cells(config["studies"]["stream2llm"], "sim"):
        folder = study.cell_folder(cell)
        texts = dict(part.split("=") for part in folder.split("/"))
        assert study.typed_axes(texts) == cell
        assert axes_of(tmp_path / folder / "requests.parquet") == cell


def test_a_folder_reads_as_documented(config):
    first = study.cells(config["studies"]["stream2llm"], "sim")[0]
    assert study.cell_folder(first) == (
        "backend=sim/hardware=h200-tp2/workload=crawler/delay=1/eviction=cost_published/"
        "policy=default_vllm/stream=false/qps=0.5"
    )


def test_a_cell_is_run_with_what_its_workload_and_hardware_say(config):
    crawler, anns = (
        study.cell_spec(config, "stream2llm", cell)
        for cell in study.cells(config["studies"]["stream2llm"], "sim")
        if cell["delay"] > 1 and cell["policy"] == "mcps" and cell["eviction"] == "swap"
    )
    assert (crawler["engine"]["token_budget"], anns["engine"]["token_budget"]) == (2048, 8192)
    assert (crawler["delay_scope"], anns["delay_scope"]) == ("scrapes", "all")
    assert (crawler["worlds"], anns["worlds"]) == (8, 20)
    assert (crawler["queries"], anns["queries"]) == (4322, 500)
    hardware = config["hardware"]["h200-tp2"]
    assert crawler["engine"]["kv_blocks"] == hardware["kv_blocks"]
    assert crawler["engine"]["host_blocks"] == hardware["host_blocks"]
    assert crawler["overheads"] == hardware["overheads"]
    assert crawler["tensor_parallel"] == 2
    assert (crawler["delay"], crawler["qps"], crawler["stream"]) == (10, 4.0, True)


def test_what_was_chosen_on_published_rows_is_said_of_those_who_took_it_over():
    def entry(calibrated, step_s):
        return {"calibrated": calibrated, "overheads": {"step_s": step_s}}

    hardware = {"big": entry(True, 0.008), "old": entry(False, 0.008), "own": entry(False, 0.001)}
    assert study.calibration_note(hardware, ["big"]) == "pool and overheads fitted to the calibration set"
    assert study.calibration_note(hardware, ["own"]) == ""
    assert (
        study.calibration_note(hardware, ["old"])
        == "overheads of old taken over from big, where they were fitted"
    )
    assert study.calibration_note(hardware, ["big", "old", "own"]) == (
        "pool and overheads of big fitted to the calibration set;"
        " overheads of old taken over from big, where they were fitted"
    )
