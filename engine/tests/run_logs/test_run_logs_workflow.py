"""The backend published through the whole workflow, on run logs of the smoke configuration's cells."""

import csv
import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
import repository_copy
from published_logs import run_folder, write_run

from headrace import study
from headrace.config import read_all

OF_CELLS = ("fig5", "fig6", "fig7", "fig11", "fig12")
RESULTS = Path("results/smoke/stream2llm")
GENERATED = 'workloads={"crawler": {"source": "synthetic"}}'
MISSING, CUT = "anns/H200_enhanced_schedulers_v1_500q/lcas", "crawler/H200_enhanced_schedulers_v1_full/fcfs"


@pytest.fixture
def copy(tmp_path):
    return repository_copy.copy_repository(tmp_path / "headrace")


@pytest.fixture
def logs(copy, fabricate):
    """The run logs of all cells in the copy's folder `logs`; their cells."""
    files = (repository_copy.REPOSITORY / "config" / name for name in ("config.yaml", "smoke.yaml"))
    config = read_all(files)
    cells = study.cells(config["studies"]["stream2llm"], "published")
    for number, axes in enumerate(cells):
        keys = {key: value for key, value in axes.items() if key != "backend"}
        requests = pl.read_parquet(fabricate(worlds=1, queries=40, seed=number, **keys))
        write_run(copy / "logs/run_log" / run_folder(axes), requests, axes)
    return cells


@pytest.fixture
def hub(copy, tmp_path):
    """A stand-in for the hub's client: gives what lies in the copy's folder `logs`, notes what is asked."""
    folder = tmp_path / "client"
    folder.mkdir()
    (folder / "huggingface_hub.py").write_text(
        "import shutil\n"
        "from pathlib import Path\n"
        "def snapshot_download(local_dir, **asked):\n"
        "    with Path(__file__).with_name('asked').open('a') as file:\n"
        "        print(sorted(asked.items()), file=file)\n"
        f"    shutil.copytree({str(copy / 'logs')!r}, local_dir, dirs_exist_ok=True)\n"
    )
    return folder


def snakemake(folder, *arguments, config=("data=logs",), path=""):
    """Run Snakemake in `folder` on the backend published; returns the finished process, its output in one."""
    set_up = ("--configfile", "config/smoke.yaml", "--config", "backend=published", GENERATED, *config)
    return repository_copy.snakemake(folder, *arguments, *set_up, together=True, path=path)


def planned(done):
    assert done.returncode == 0, done.stdout
    return Counter(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):", done.stdout, re.M))


def test_what_the_logs_hold_is_drawn_and_what_they_miss_is_said(copy, logs):
    missing = copy / "logs/run_log" / MISSING
    missing.rename(copy / "lcas")
    log = next((copy / "logs/run_log" / CUT).glob("*/run_metrics.csv"))
    log.write_bytes(log.read_bytes()[:-20])
    done = snakemake(copy, "stream2llm")
    assert done.returncode == 0, done.stdout
    results = copy / RESULTS / "published"
    for name in OF_CELLS:
        assert (results / f"figures/{name}.svg").stat().st_size > 1000
    assert "runs missing: 2 of 10, see runs.csv" in (results / "tables/inline.md").read_text()
    runs = pl.read_csv(results / "runs.csv")
    assert Counter(runs["status"]) == {"read": len(logs) - 2, "missing": 2, "unreadable": 1}
    lost = runs.filter(status="missing").select("workload", "policy", "delay").sort("workload").rows()
    assert lost == [("anns", "lcas", 1), ("crawler", "fcfs", 1)]
    for text in ("lcas, streaming, 2 QPS: missing: no run", "the last line is cut", "read 18 of 20 runs"):
        assert text in done.stdout
    assert "not in the run logs: sched_latency" in done.stdout
    card = pl.read_csv(results / "scorecard.csv", infer_schema_length=None)
    cells = card.filter(hardware="h200-tp2", setting="main", qps=4.0, stream=True, quantity="ttft_p50_s")
    assert dict(cells.select("policy", "verdict").rows())["fcfs"] == "missing"
    assert cells.filter(policy="mcps")["rel_error"].null_count() == 0
    assert set(card.filter(artifact="table2")["verdict"]) == {"missing"}
    assert set(card["role"]) == {"seen", "held_out"}
    assert card["null_error"].null_count() == card.height
    assert pl.read_parquet(results / "metrics.parquet")["backend"].unique().to_list() == ["published"]

    assert "Nothing to be done" in snakemake(copy, "stream2llm").stdout
    (copy / "lcas").rename(missing)
    assert planned(snakemake(copy, "--dry-run", "stream2llm"))["read_run_logs"] == 1


def test_an_edit_that_no_requests_table_shows_makes_table_4_anew(copy, logs):
    assert snakemake(copy, "stream2llm_table4").returncode == 0
    table = copy / RESULTS / "published/tables/table4.csv"
    for log in (copy / "logs/run_log").glob("*/*_delay_*/mcps/*/run_metrics.csv"):
        with log.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            row["concurrent_requests"] = "777" if row["event_type"].startswith("preempted_") else ""
        with log.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    assert snakemake(copy, "stream2llm_table4").returncode == 0
    counted = pl.read_csv(table, infer_schema_length=None).filter(quantity="concurrent_requests_p50")
    assert 777 in counted["reproduced"].to_list()


def test_without_a_readable_run_there_is_one_line_and_no_output(copy):
    folder = copy / "logs/run_log/crawler/H200_enhanced_schedulers_v1_full/fcfs/2025-10-01"
    folder.mkdir(parents=True)
    (folder / "run_metrics.csv").write_text("event_timestamp\n")
    done = snakemake(copy, "stream2llm_fig5")
    assert done.returncode == 1
    assert "logs/run_log: holds no readable run of the study" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (copy / RESULTS / "cells").exists() or not list((copy / RESULTS / "cells").iterdir())
    assert not (copy / RESULTS / "published/runs.csv").exists()


def test_without_a_folder_the_data_set_is_downloaded(copy):
    revision = 'published={"revision": "0123abc"}'
    done = snakemake(copy, "--dry-run", "stream2llm_fig5", config=(revision,))
    assert planned(done) == {"fetch_dataset": 1, "read_run_logs": 1, "stream2llm_fig5": 1}
    assert f"input: {RESULTS}/dataset" in done.stdout


def test_run_logs_are_downloaded_once_for_both_backends(copy, logs, hub):
    revision = ('published={"revision": "0123abc"}',)
    done = snakemake(copy, "stream2llm_fig12", config=revision, path=hub)
    assert done.returncode == 0, done.stdout
    (asked,) = (hub / "asked").read_text().splitlines()
    assert "('allow_patterns', ['run_log/*'])" in asked
    assert "('revision', '0123abc')" in asked
    assert f"read {len(logs)} of {len(logs)} runs" in done.stdout
    target = str(RESULTS / "side_by_side/fig12.svg")
    jobs = planned(snakemake(copy, "--dry-run", target, config=(*revision, "backend=sim")))
    assert jobs["side_by_side"] == 1
    assert jobs["run_cell"] > 1
    assert not jobs.keys() & {"fetch_dataset", "read_run_logs"}
