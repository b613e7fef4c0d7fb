"""Figure 4 of the backend published: the study's own measurements, in a folder or downloaded."""

import json
import re

import pytest
import yaml
from repository_copy import copy_repository, snakemake

from headrace.perf import write_model

NAMED = {"recompute_file": "perf/recompute.json", "swap_file": "perf/swap.json"}
MODEL = "results/perf_models/h200-tp2.llama-3.1-8b.published.json"


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the repository, with a data set that holds the two files."""
    folder = copy_repository(tmp_path_factory.mktemp("headrace"))
    for name in NAMED.values():
        file = folder / "published" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")
    return folder


@pytest.fixture
def plan(copy):
    """The inputs of every rule that a dry run of a target with further keys would run, and its output."""

    def dry_run(target, **keys):
        hardware = {"h200-tp2": {"published": NAMED}}
        config = {"backend": "published", "hardware": hardware} | keys
        (copy / "mine.yaml").write_text(yaml.safe_dump(config))
        done = snakemake(copy, "--dry-run", target, "--configfile", "mine.yaml")
        jobs = re.findall(r"^(?:local)?rule (\w+):\n(?:    input: (.*))?", done.stdout, re.M)
        return {rule: inputs.split(", ") for rule, inputs in jobs}, done.stdout + done.stderr

    return dry_run


def test_a_data_set_in_a_folder_holds_the_measurements(plan):
    jobs, said = plan("stream2llm_fig4", data="published")
    assert jobs.keys() == {"build_perf_model", "stream2llm_fig4"}, said
    assert jobs["stream2llm_fig4"] == [MODEL]
    assert {f"published/{name}" for name in NAMED.values()} < set(jobs["build_perf_model"])


def test_measurements_are_downloaded_with_the_run_logs(plan):
    jobs, said = plan("stream2llm_fig4", published={"revision": "0" * 40})
    assert jobs.keys() == {"fetch_dataset", "build_perf_model", "stream2llm_fig4"}, said
    assert "results/stream2llm/dataset" in jobs["build_perf_model"]


def test_a_data_set_without_them_is_told(plan):
    jobs, said = plan("stream2llm_fig4", data="data")
    assert not jobs
    assert "data/perf/recompute.json" in said


def test_building_all_models_takes_no_gpu(plan, copy):
    profiled = MODEL.replace("published", "profiled")
    file = profiled.replace("results", "data")
    model = json.loads((copy / file.replace("profiled", "silicon")).read_text())
    write_model(model | {"provider": "profiled"}, copy / file)
    measured = {"provider": "profiled", "model": "llama-3.1-8b", "file": file}
    jobs, said = plan("perf_models", backend="sim", hardware={"h200-tp2": {"perf_model": measured}})
    assert jobs.keys() == {"build_perf_model", "perf_models"}, said
    assert profiled not in said
    jobs, said = plan(profiled, backend="sim")
    assert jobs.keys() == {"profile_gpu"}, said
    assert re.search(r"resources: .*\bnodes=1, gpu=2, gpu_model=h200,", said)


def test_a_profile_of_vllm_takes_the_engine_of_the_studies(plan):
    target = MODEL.replace("published", "vllm")
    jobs, said = plan(target, backend="sim")
    assert jobs.keys() == {"profile_vllm"}, said
    assert re.search(r"resources: .*\bnodes=1, gpu=2, gpu_model=h200,", said)
