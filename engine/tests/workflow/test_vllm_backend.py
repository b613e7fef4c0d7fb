"""Backend vllm in the workflow: which cells share an engine, what its jobs need. Dry runs, no vLLM."""

import re
from collections import Counter

import pytest
import yaml
from repository_copy import copy_repository, snakemake

from headrace import study
from headrace.config import read_all
from headrace.perf.providers import build
from headrace.spec import PLUGIN
from headrace.vllm.cells.settings import QUIET_AND_OFFLINE, RELEASES

CPU = ("config/smoke.yaml", "config/vllm-cpu.yaml")


@pytest.fixture(scope="module")
def config(repository):
    return read_all([repository / "config/config.yaml"])


@pytest.fixture(scope="module")
def cpu(repository):
    return read_all([repository / file for file in ("config/config.yaml", *CPU)])


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    return copy_repository(tmp_path_factory.mktemp("headrace"))


@pytest.fixture(scope="module")
def whole(copy):
    """A dry run of the whole study on vLLM: rules with how often, and its output."""
    done = snakemake(copy, "--dry-run", "--config", "backend=vllm", together=True)
    assert done.returncode == 0, done.stdout
    return Counter(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.M)), done.stdout


def job(output, name):
    """What a dry run says of one job."""
    return re.search(rf"^rule {name}:\n((?:    .*\n)+)", output, re.M)[1]


def test_cells_that_share_an_engine_differ_in_rate_and_delay_only(config):
    cells = study.cells(config["studies"]["stream2llm"], "vllm")
    groups = study.shared(cells, config["vllm"]["share"])
    assert sorted(map(str, cells)) == sorted(str(cell) for group in groups.values() for cell in group)
    for group in groups.values():
        for axis in config["vllm"]["share"]:
            assert len({cell[axis] for cell in group}) == 1
    assert {cell["qps"] for cell in groups["h200_tp2_crawler_cost_published_lcas_stream"]} == {0.5, 1, 2, 4}
    assert len(groups["h200_tp2_crawler_swap_lcas_stream"]) == 1


@pytest.mark.parametrize(
    ("share", "names"),
    [
        ([], {"h200_tp2", "h100_tp2"}),
        (["workload"], {f"{h}_{w}" for h in ("h200_tp2", "h100_tp2") for w in ("crawler", "anns")}),
    ],
)
def test_hardware_is_never_mixed(config, share, names):
    assert study.shared(study.cells(config["studies"]["stream2llm"], "vllm"), share).keys() == names


def test_names_of_jobs_tell_numbers_apart(config):
    cells = study.cells(config["studies"]["stream2llm"], "vllm")
    names = study.shared(cells, list(study.AXES))
    assert len(names) == len(cells)
    assert all(re.fullmatch(r"\w+", name) for name in names)


def test_a_cell_on_vllm_has_the_plugins_engine(config):
    for backend in ("sim", "vllm"):
        cells = study.cells(config["studies"]["stream2llm"], backend)
        engine = study.cell_spec(config, "stream2llm", cells[0])["engine"]
        assert (PLUGIN.items() <= engine.items()) == (backend == "vllm")
        assert engine["kv_blocks"] == config["hardware"]["h200-tp2"]["kv_blocks"]


def test_one_job_serves_every_group_once(whole):
    rules, output = whole
    jobs = [rule for rule in rules if rule.startswith("vllm_stream2llm_")]
    assert len(jobs) == 50
    assert all(rules[name] == 1 for name in jobs)
    assert rules["prefetch_weights"] == 1
    assert "run_cell" not in rules
    assert len(set(re.findall(r"cells/backend=vllm/[^ ,]+/requests\.parquet", output))) == 120


def test_a_job_asks_for_its_gpus_its_swap_pool_and_the_time_of_its_queries(whole):
    _, output = whole
    said = job(output, "vllm_stream2llm_h200_tp2_crawler_cost_published_lcas_stream")
    assert "gpu=2, gpu_model=h200," in said
    memory = int(re.search(r"mem_mb=(\d+)", said)[1])
    assert 203200 * 2 * 2**20 / 1e6 < memory < 500_000
    hours = 8 * 4322 * (1 / 0.5 + 1 + 1 / 2 + 1 / 4) / 3600  # worlds, queries, seconds a query
    minutes = int(re.search(r"runtime=(\d+)", said)[1])
    assert 1.5 * hours < minutes / 60 < 1.7 * hours + 1
    assert "results/weights/llama-3.1-8b.json" in said


def test_only_the_prefetch_touches_the_network_and_it_runs_where_there_is_one(repository):
    text = (repository / "workflow/rules/vllm.smk").read_text(encoding="utf-8")
    prefetch, jobs = re.split(r"^for study", text, flags=re.M)
    assert "localrule: True" in prefetch
    assert "localrule" not in jobs
    assert QUIET_AND_OFFLINE["HF_HUB_OFFLINE"] == "1"


def test_numbers_measured_have_folders_of_their_own(whole):
    _, output = whole
    assert "results/stream2llm/vllm/figures/fig6.svg" in output
    assert "results/stream2llm/vllm/scorecard.csv" in output
    assert "results/stream2llm/figures/fig6.svg" not in output


def test_a_simulated_study_has_no_job_on_vllm(copy):
    done = snakemake(copy, "--dry-run", together=True)
    assert done.returncode == 0, done.stdout
    assert not re.search(r"rule (vllm_|prefetch_weights)", done.stdout)


def test_what_is_said_of_the_numbers(copy):
    asked = ("--config", "backend=vllm", 'vllm={"load_format": "dummy"}')
    probe = copy / "workflow/probe.smk"
    text = (copy / "workflow/Snakefile").read_text() + "\nprint('SAID', provenance(**MAIN_GRID))\n"
    probe.write_text(text)
    done = snakemake(copy, "--dry-run", "--snakefile", "workflow/probe.smk", *asked, together=True)
    (said,) = set(re.findall(r"^SAID (.*)$", done.stdout, re.M))
    assert said == (
        f"measured on vLLM {RELEASES} with Headrace's plugin, dummy weights; 2 x NVIDIA H200 SXM;"
        " KV pool fitted to the calibration set"
    )


def test_the_small_configuration_is_one_job_without_a_gpu(copy, cpu):
    done = snakemake(copy, "--dry-run", "--configfile", *CPU, together=True)
    assert done.returncode == 0, done.stdout
    said = job(done.stdout, "vllm_stream2llm_cpu")
    assert re.search(r"\bgpu=0\b", said)
    assert "gpu_model=cpu" not in said  # no batch system has such a GPU
    assert len(set(re.findall(r"cells/backend=vllm/[^ ,]+/lateness\.parquet", said))) == 20


def test_its_performance_model_is_the_one_that_its_numbers_give(cpu, tmp_path, repository):
    for name in ("hardware", "models"):
        keys = {"hardware": "cpu", "models": "tiny-llama"}[name]
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump({keys: cpu[name][keys]}))
    built = tmp_path / "built.json"
    build("roofline", "cpu", tmp_path / "hardware.yaml", tmp_path / "models.yaml", built)
    committed = repository / cpu["hardware"]["cpu"]["perf_model"]["file"]
    assert built.read_bytes() == committed.read_bytes()


def test_another_axis_is_refused(copy):
    done = snakemake(copy, "--dry-run", "--config", 'vllm={"share": ["polcy"]}', together=True)
    assert done.returncode == 1
    assert "key vllm.share[0]: is 'polcy' (string); did you mean 'policy'?" in done.stdout


def test_weights_are_checked_before_any_job_starts(copy):
    folder = copy / "no-weights"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    asked = ("--config", "backend=vllm", f'vllm={{"weights": "{folder}"}}')
    done = snakemake(copy, "results/weights/llama-3.1-8b.json", *asked, together=True)
    assert done.returncode == 1
    assert "config.json: key num_hidden_layers: is None, the study's model has 32;" in done.stdout
    assert not (copy / "results/weights/llama-3.1-8b.json").exists()


def test_a_python_that_is_not_there_is_told_and_no_cell_is_half_written(copy):
    asked = ("--config", 'vllm={"python": "no-such-python"}')
    target = "vllm_stream2llm_cpu"
    done = snakemake(copy, target, "--configfile", *CPU, *asked, together=True)
    assert done.returncode == 1
    assert "config: key vllm.python: there is no no-such-python; make setup-vllm makes" in done.stdout
    assert not list((copy / "results").rglob("backend=vllm/**/*.parquet"))


def test_jobs_on_one_machine_have_its_gpus_in_turn(copy):
    """However many cores it has: two engines on the same GPUs would measure each other."""
    python, notes = copy / "python", copy / "notes"
    python.write_text(f"#!/bin/sh\necho begins >> {notes}\nsleep 0.5\necho ends >> {notes}\nexit 1\n")
    python.chmod(0o755)
    share = f'vllm={{"python": "{python}", "share": ["policy", "stream"]}}'
    asked = ("--configfile", *CPU, "--config", share, "--cores", "64", "--keep-going")
    jobs = [f"vllm_stream2llm_cpu_{name}" for name in ("fcfs_stream", "lcas_stream", "mcps_stream")]
    done = snakemake(copy, *jobs, "--profile", "profiles/local", *asked, together=True)
    assert done.returncode == 1
    assert notes.read_text().split() == ["begins", "ends"] * len(jobs), done.stdout
