"""Every target computes what it needs and nothing else: jobs of a run in a copy without results."""

import re
from collections import Counter

import pytest
import yaml
from repository_copy import copy_repository, snakemake

MAIN = {"delay": "1"}
CRAWLER, ANNS = ("crawler",), ("anns",)
BOTH = ANNS + CRAWLER

# target: (workloads that are made, cells that are served, values of axes that all of these have)
TARGETS = {
    "fig4": ((), 0, {}),
    "fig5": (BOTH, 40, MAIN | {"hardware": "h200-tp2"}),
    "fig6": (CRAWLER, 20, MAIN | {"hardware": "h200-tp2"}),
    "fig7": (ANNS, 20, MAIN | {"hardware": "h200-tp2"}),
    "fig8": (BOTH, 0, {}),
    "fig9": (BOTH, 0, {}),
    "fig10": (BOTH, 0, {}),
    "fig11": (BOTH, 40, MAIN | {"hardware": "h200-tp2"}),
    "fig12": (ANNS, 16, MAIN | {"hardware": "h200-tp2", "stream": "true"}),
    "table2": (BOTH, 0, {}),
    "table3": (BOTH, 40, {"hardware": "h200-tp2"}),
    "table4": (BOTH, 40, {"hardware": "h200-tp2"}),
    "inline": (BOTH, 80, MAIN),
    "sched_latency": ((), 0, {}),
}
SCORED = {"targets", "fidelity", "fidelity_errors"}
"""Targets that judge the simulator: they need the scorecard, and so everything below it."""
VARIED = {"parity", "sensitivity", "sensitivity_table"}
"""Targets of runs beside the grid."""
NO_ARRIVALS = ("fig8", "fig9", "fig10", "table2")
"""Targets of workloads alone."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the repository without results."""
    return copy_repository(tmp_path_factory.mktemp("headrace"))


def planned(done):
    """The rules that a dry run would run, with how often."""
    assert done.returncode == 0, done.stdout + done.stderr
    return Counter(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):", done.stdout, re.M))


@pytest.fixture(scope="module")
def jobs(copy):
    """What each target needs: the jobs below it in the graph of a run of the whole study.

    A job is its rule with the wildcards that the graph gives.
    """
    graph = snakemake(copy, "--dag", "dot", "stream2llm").stdout
    labels = dict(re.findall(r'^\s*(\d+)\[label = "([^"]*)"', graph, re.M))
    needs = {}
    for needed, job in re.findall(r"^\s*(\d+) -> (\d+)", graph, re.M):
        needs.setdefault(job, set()).add(needed)
    return {label.split(r"\n")[0]: _below(job, needs, labels) for job, label in labels.items()}


def _below(job, needs, labels):
    found, left = set(), {job}
    while left:
        left = {need for one in left for need in needs.get(one, ())} - found
        found |= left
    split = [labels[one].split(r"\n") for one in sorted(found, key=int)]
    return [(rule, dict(wildcard.split(": ") for wildcard in wildcards)) for rule, *wildcards in split]


def test_what_judges_the_simulator_needs_the_scorecard_and_the_floor(jobs):
    for target in SCORED:
        needed = Counter(rule for rule, _ in jobs[f"stream2llm_{target}"])
        assert (needed["scorecard"], needed["run_cell"]) == (1, 120)
        assert needed["floor"] == (target != "fidelity")
        assert needed["parity"] == (target == "targets")


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_needs_its_cells_and_workloads_only(target, jobs):
    workloads, cells, axes = TARGETS[target]
    needed = jobs[f"stream2llm_{target}"]
    arrivals = () if target in NO_ARRIVALS else workloads
    expected = Counter(run_cell=cells, generate_workload=len(workloads), generate_arrivals=len(arrivals))
    assert Counter(rule for rule, _ in needed) == +expected
    made = sorted(wildcards["workload"] for rule, wildcards in needed if rule == "generate_workload")
    assert made == sorted(workloads)
    served = [wildcards for rule, wildcards in needed if rule == "run_cell"]
    for axis, value in axes.items():
        assert {wildcards[axis] for wildcards in served} == {value}
    if target in ("table3", "table4"):
        assert "1" not in {wildcards["delay"] for wildcards in served}


def test_a_dry_run_of_one_target_plans_just_that(copy):
    done = snakemake(copy, "--dry-run", "stream2llm_fig7")
    assert planned(done) == {
        "run_cell": 20,
        "generate_workload": 1,
        "generate_arrivals": 1,
        "stream2llm_fig7": 1,
    }


def test_the_study_is_all_targets_and_the_scorecard(jobs):
    rules = Counter(rule for rule, _ in jobs["stream2llm"])
    assert {rule for rule in rules if rule.startswith("stream2llm_")} == {
        f"stream2llm_{target}" for target in {*TARGETS, *SCORED, *VARIED}
    }
    assert (rules["run_cell"], rules["metrics"], rules["scorecard"]) == (120, 1, 1)


def test_a_grid_of_one_workload_on_another_gpu_gives_what_it_can(copy):
    """Figures are of the grid's own hardware, and what would have no cell is not asked for."""
    own = {
        "main": {"hardware": ["a40-tp1"], "settings": [{"workload": "anns", "delay": 1, "qps": [1.0, 2.0]}]},
        "delay": {"hardware": ["a40-tp1"], "settings": [{"workload": "anns", "delay": 1, "qps": [4.0]}]},
    }
    own["delay"]["evictions"] = ["cost_published"]
    (copy / "own.yaml").write_text(yaml.safe_dump({"studies": {"stream2llm": {"grid": own}}}))
    done = snakemake(copy, "--dry-run", "stream2llm", "--configfile", "own.yaml")
    rules = planned(done)
    assert rules["run_cell"] == 15
    assert set(re.findall(r"^    wildcards: .*hardware=([\w-]+),", done.stdout, re.M)) == {"a40-tp1"}
    left_out = {f"stream2llm_{name}" for name in ("fig6", "table3", "table4")}
    assert left_out == {f"stream2llm_{target}" for target in TARGETS} - set(rules)
    judged = {f"stream2llm_{target}" for target in SCORED}
    assert not judged & set(rules), "nothing was published of that GPU"
    inputs = re.search(r"rule stream2llm_fig7:\n +input: (.*)", done.stdout)[1]
    assert inputs.count("hardware=a40-tp1") == 15


def test_side_by_side_needs_the_data_set(copy):
    done = snakemake(copy, "--dry-run", "stream2llm_side_by_side")
    assert done.returncode == 1
    assert "config/config.yaml: key data: names no folder of the public data set" in done.stdout + done.stderr


def test_side_by_side_simulates_and_reads_run_logs(copy):
    target = "results/stream2llm/side_by_side/fig12.svg"
    done = snakemake(copy, "--dry-run", target, "--config", "data=data/traces")
    assert planned(done) == {
        "run_cell": 16,
        "generate_workload": 1,
        "generate_arrivals": 1,
        "read_run_logs": 1,
        "side_by_side": 1,
    }
