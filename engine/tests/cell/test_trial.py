"""Trials give what a study's cells give, without files."""

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from headrace import cell
from headrace.axes import TYPES
from headrace.config import read_all
from headrace.errors import HeadraceError
from headrace.study import cell_spec
from headrace.trial import Trial, changed
from headrace.workload import generate, write_arrivals

STUDY = "stream2llm"
AXES = dict(
    zip(TYPES, ("sim", "h200-tp2", "anns", 30, "cost_published", "default_vllm", True, 2.0), strict=True)
)
WORLDS = 3


@pytest.fixture
def config(monkeypatch, request):
    """The study's configuration with a small anns workload, free to change."""
    monkeypatch.chdir(request.config.rootpath)
    whole = read_all(["config/config.yaml"])
    whole["workloads"]["anns"] |= {"queries": 40, "worlds": WORLDS, "typical_of": 4}
    return whole


def test_a_trial_with_arrivals_of_its_own_is_the_cell_of_the_study(config, tmp_path):
    spec, workload = cell_spec(config, STUDY, AXES), config["workloads"]["anns"]
    chunks, arrivals = tmp_path / "anns.parquet", tmp_path / "arrivals.parquet"
    drawn = {key: workload[key] for key in ("worlds", "queries", "typical_of")}
    generate("anns", config["generators"]["anns"], seed=config["seed"], out=chunks, progress=False, **drawn)
    write_arrivals(workload["queries"], WORLDS, config["seed"], arrivals)
    model = config["hardware"]["h200-tp2"]["perf_model"]["file"]
    cell.run(spec, chunks, arrivals, model, tmp_path / "cell")
    ours = Trial(config, STUDY, arrivals="own").requests(AXES, range(WORLDS))
    assert_frame_equal(ours, pl.read_parquet(tmp_path / "cell/requests.parquet"), check_exact=True)


def test_published_arrivals_are_those_of_world_0_in_every_world(config):
    served = Trial(config, STUDY).requests(AXES, range(WORLDS)).partition_by("world")
    assert all(table["arrival_s"].equals(served[0]["arrival_s"]) for table in served)
    assert not served[1]["prompt_tokens"].equals(served[2]["prompt_tokens"])
    own = Trial(config, STUDY, arrivals="own").requests(AXES, [0, 1]).partition_by("world")
    assert own[0].equals(served[0]) and not own[1]["arrival_s"].equals(served[1]["arrival_s"])


def test_all_at_once(config):
    table = Trial(config, STUDY, arrivals="at_once").requests(AXES, [1])
    assert table["arrival_s"].unique().to_list() == [0.0]


def test_a_misspelt_arrival_is_one_line(config):
    with pytest.raises(HeadraceError, match=r"^arrivals of a trial: 'at_onec' is none; .*'at_once'"):
        Trial(config, STUDY, arrivals="at_onec")


def test_traces_can_not_be_drawn(config):
    config["workloads"]["anns"]["source"] = "data/traces/anns_sample"
    with pytest.raises(HeadraceError, match=r"^workload anns: source is 'data.*; use source: synthetic$"):
        Trial(config, STUDY).requests(AXES, [0])


def test_a_change_leaves_the_configuration_as_it_was(config):
    path = "hardware/h200-tp2/kv_blocks"
    assert changed(config, {path: 5})["hardware"]["h200-tp2"]["kv_blocks"] == 5
    assert config["hardware"]["h200-tp2"]["kv_blocks"] != 5
    with pytest.raises(HeadraceError, match=r"there is no 'kv_block'; did you mean 'kv_blocks'\?"):
        changed(config, {"hardware/h200-tp2/kv_block": 5})


def test_a_policy_that_only_appends_is_not_tried_on_updates(config):
    with pytest.raises(HeadraceError, match=r"^trial of .*: query 0: an update changes its prompt"):
        Trial(config, STUDY).requests(AXES | {"policy": "vllm_032"}, [0])
