"""What is wrong with the runs beside the grid is told before anything runs, one line per problem."""

import copy

import pytest
import yaml

from headrace.config import read, read_all
from headrace.validation import ConfigError

CONFIG = "config/config.yaml"
GIVEN = read("config/studies/stream2llm.variants.yaml")["sensitivity"]


def claims(**changes):
    first = copy.deepcopy(GIVEN["claims"][0])
    for key, value in changes.items():
        first[key] = {**first[key], **value} if isinstance(value, dict) else value
    return {"sensitivity": {"claims": [first]}}


def assumptions(**changes):
    return {"sensitivity": {"assumptions": [{**GIVEN["assumptions"][0], **changes}]}}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            {"sensitivity": {"change": 0}},
            "sensitivity.change: is 0 (integer); must be more than 0",
        ),
        (
            assumptions(paths=["hardware/*/overheads/stp_s"]),
            "sensitivity.assumptions[0].paths[0]: hardware/h200-tp2/overheads/stp_s: there is no 'stp_s';"
            " did you mean 'step_s'?",
        ),
        (
            assumptions(paths=["hardware/*/gpu"]),
            "sensitivity.assumptions[0].paths[0]: hardware/h200-tp2/gpu: is no number;"
            " name the number that is to move",
        ),
        (
            assumptions(name="baseline"),
            "sensitivity.assumptions[0].name: is 'baseline', the name for nothing moved; rename it",
        ),
        (
            {"sensitivity": {"assumptions": [GIVEN["assumptions"][0]] * 2}},
            "sensitivity.assumptions[1].name: 'dense' is there twice; rename one of them",
        ),
        (
            claims(quantity="ttft_p50"),
            "sensitivity.claims[0].quantity: unknown quantity 'ttft_p50'; did you mean 'ttft_p50_s'?",
        ),
        (
            claims(over={"policy": "fcsf"}),
            "sensitivity.claims[0].over.policy: unknown policy 'fcsf'; did you mean 'fcfs'?",
        ),
        (
            claims(cell={"workload": "crawlr"}),
            "sensitivity.claims[0].cell.workload: unknown workload 'crawlr'; did you mean 'crawler'?",
        ),
        (
            claims(cell={"evictoin": "swap"}),
            "sensitivity.claims[0].cell.evictoin: unknown key; did you mean 'eviction'?",
        ),
        (
            {"floor": {"evictions": ["cost"]}},
            "floor.evictions[0]: unknown eviction rule 'cost'; did you mean 'cost_victim'?",
        ),
        (
            {"parity": {"worlds": {"anns": 0}}},
            "parity.worlds.anns: is 0 (integer); must be at least 1",
        ),
        (
            {"floor": {"draws": {"ann": 2}}},
            "floor.draws.ann: unknown workload 'ann'; did you mean 'anns'?",
        ),
    ],
)
def test_every_problem_is_one_line(changes, line, tmp_path):
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump({"variants": {"stream2llm": changes}}))
    with pytest.raises(ConfigError) as error:
        read_all([CONFIG, file])
    assert f"own.yaml: key variants.stream2llm.{line}" in str(error.value).replace(str(file), "own.yaml")


def test_a_workload_that_is_not_spoken_of_is_named(tmp_path):
    file = tmp_path / "variants.yaml"
    given = read("config/studies/stream2llm.variants.yaml")
    del given["parity"]["worlds"]["anns"]
    file.write_text(yaml.safe_dump(given))
    own = tmp_path / "own.yaml"
    own.write_text(yaml.safe_dump({"files": {"variants": {"stream2llm": str(file)}}}))
    with pytest.raises(ConfigError, match="says nothing of workload 'anns'; add anns: 1 or more"):
        read_all([CONFIG, own])


def test_runs_beside_the_grid_of_no_study_are_refused(tmp_path):
    file = tmp_path / "own.yaml"
    given = read("config/studies/stream2llm.variants.yaml")
    file.write_text(yaml.safe_dump({"variants": {"stream2lm": given}}))
    with pytest.raises(ConfigError, match=r"no study is called 'stream2lm'; did you mean 'stream2llm'?"):
        read_all([CONFIG, file])


def test_labels_are_words_and_tell_assumptions_of_a_claim_apart():
    for workload in ("crawler", "anns"):
        shown = [
            each["label"]
            for each in GIVEN["assumptions"]
            if not each["paths"][0].startswith("generators/") or f"/{workload}/" in each["paths"][0]
        ]
        assert len(shown) == len(set(shown))
        assert all("_" not in label and len(label) <= 30 for label in shown)


def test_every_overhead_and_free_shape_is_moved():
    whole = read_all([CONFIG])
    paths = {path for each in GIVEN["assumptions"] for path in each["paths"]}
    overheads = whole["hardware"]["h200-tp2"]["overheads"]
    assert {f"hardware/*/overheads/{name}" for name in overheads} <= paths
    for workload, keys in whole["generators"].items():
        free = {
            name for name in keys if name.endswith(("skew", "correlation", "share", "overlap", "front_mean"))
        }
        assert free
        assert {f"generators/{workload}/{name}" for name in free} <= paths
