"""Claims with an assumption moved: both ways, and nothing else."""

import pytest

from headrace.errors import HeadraceError
from headrace.trial import Trial
from headrace.variants import sensitivity
from headrace.variants.definition import QUANTITIES, Assumption, Claim, movable, shown_hardware
from headrace.variants.sensitivity import claim_values, read_sensitivity, write_sensitivity

HARDWARE = "h200-tp2"
STEP = "hardware/h200-tp2/overheads/step_s"


def claim(definition, name):
    (given,) = (each for each in definition["claims"] if each["name"] == name)
    return Claim.of(given, HARDWARE)


def keyed(*tables):
    """Metrics tables by the cells that they are of."""
    found = {}
    for cell, table in tables:
        found[tuple(cell.items())] = table
    return found


def test_a_claim_is_a_ratio_within_a_world(definition, metrics_of):
    one = claim(definition, "crawler_collapse")
    assert (one.cell["policy"], one.over["policy"]) == ("default_vllm", "fcfs")
    assert {**one.cell, "policy": "fcfs"} == one.over
    metrics = keyed(
        (one.cell, metrics_of(one.cell, first=1, ttft_p99_s=[12.0, 30.0], ttft_p95_s=[1.0, 1.0])),
        (one.over, metrics_of(one.over, first=1, ttft_p99_s=[4.0, 3.0], ttft_p95_s=[1.0, 1.0])),
    )
    assert claim_values(one, metrics) == {1: 3.0, 2: 10.0}


def test_a_claim_without_over_is_the_quantity_itself(definition, metrics_of):
    one = claim(definition, "swap_share")
    assert one.over is None
    assert one.is_share
    metrics = keyed((one.cell, metrics_of(one.cell, swap_share=[0.2, 0.1])))
    assert claim_values(one, metrics) == {0: 0.2, 1: 0.1}


def test_a_world_without_the_quantity_has_no_value(definition, metrics_of):
    one = claim(definition, "crawler_p50")
    metrics = keyed(
        (one.cell, metrics_of(one.cell, ttft_p50_s=[1.0, 2.0, 3.0])),
        (one.over, metrics_of(one.over, ttft_p50_s=[0.5])),
    )
    assert claim_values(one, metrics) == {0: 2.0}


@pytest.fixture
def served(monkeypatch, metrics_of):
    """Configurations that trials were made of; streaming TTFT is the time per step, whole TTFT fixed."""
    configurations = []

    class Made:
        def __init__(self, config, study, models):
            self.config = config
            configurations.append(config)

        def metrics(self, axes, worlds):
            step_s = self.config["hardware"][HARDWARE]["overheads"]["step_s"]
            value = (step_s if axes["stream"] else 3 * 0.01) * (2.0 if axes["policy"] == "fcfs" else 1.0)
            return metrics_of(axes, first=worlds[0], ttft_p50_s=[value] * len(worlds))

    monkeypatch.setattr(sensitivity, "Trial", Made)
    return configurations


def differences(one, other, path=()):
    """Paths at which two trees differ."""
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        return [place for key in one for place in differences(one[key], other[key], (*path, key))]
    return [] if one == other else ["/".join(path)]


def test_an_assumption_moves_both_ways_and_nothing_else_does(config, definition, served, tmp_path):
    config["hardware"][HARDWARE]["overheads"]["step_s"] = 0.01
    definition["claims"] = [each for each in definition["claims"] if each["name"] == "crawler_p50"]
    definition |= {"change": 0.2, "worlds": {"crawler": 2, "anns": 1}}
    for name in ("baseline", "step_time"):
        write_sensitivity(
            config, "stream2llm", HARDWARE, definition, name, tmp_path / f"{name}.csv", progress=False
        )
    baseline, lower, higher = served
    assert differences(config, baseline) == []
    assert differences(config, lower) == differences(config, higher) == [STEP]
    assert lower["hardware"][HARDWARE]["overheads"]["step_s"] == 0.008
    assert higher["hardware"][HARDWARE]["overheads"]["step_s"] == 0.012
    rows = read_sensitivity([tmp_path / "baseline.csv", tmp_path / "step_time.csv"])
    found = [(row.direction, row.world, row.moved_to, row.value) for row in rows]
    assert found == [
        ("baseline", 1, "", 1.5),
        ("baseline", 2, "", 1.5),
        ("lower", 1, "0.008", 1.875),
        ("lower", 2, "0.008", 1.875),
        ("higher", 1, "0.012", 1.25),
        ("higher", 2, "0.012", 1.25),
    ]


def test_a_value_that_is_not_there_stays_empty(config, definition, served, tmp_path):
    definition["claims"] = [each for each in definition["claims"] if each["name"] == "swap_share"]
    out = tmp_path / "baseline.csv"
    write_sensitivity(config, "stream2llm", HARDWARE, definition, "baseline", out, progress=False)
    assert {row.value for row in read_sensitivity([out])} == {None}


def test_a_generators_parameter_serves_its_own_workload_only(definition):
    crawler = Assumption("one", "one", ("generators/crawler/size_skew",))
    pool = Assumption("two", "two", ("hardware/h200-tp2/kv_blocks",))
    about = {each["name"]: claim(definition, each["name"]) for each in definition["claims"]}
    assert crawler.touches(about["crawler_p50"])
    assert not crawler.touches(about["anns_p50"])
    assert all(pool.touches(one) for one in about.values())


def test_what_is_not_generated_is_not_tested(definition):
    claims, assumptions = movable(definition, HARDWARE, ["anns"])
    assert {one.name for one in claims} == {"anns_p50", "anns_p95", "anns_collapse"}
    names = {one.name for one in assumptions}
    assert "kv_pool" in names
    assert "pool_overlap" in names
    assert "page_sizes" not in names
    assert movable(definition, HARDWARE, []) == ([], [])


def test_the_star_of_a_path_is_the_hardware_shown(config):
    given = {"name": "pool", "label": "pool", "paths": ["hardware/*/kv_blocks"]}
    assert Assumption.of(given, "a40-tp1").paths == ("hardware/a40-tp1/kv_blocks",)
    assert shown_hardware(config["studies"]["stream2llm"]) == HARDWARE


def test_nothing_moved_is_what_the_trial_gives(config, definition, tmp_path):
    config["workloads"]["crawler"]["source"] = "data/traces/crawler_sample"
    definition["claims"] = [each for each in definition["claims"] if each["name"] == "anns_p50"]
    definition["worlds"] = {"crawler": 1, "anns": 2}
    out = tmp_path / "baseline.csv"
    write_sensitivity(config, "stream2llm", HARDWARE, definition, "baseline", out, progress=False)
    one = claim(definition, "anns_p50")
    trial = Trial(config, "stream2llm")
    metrics = keyed(*((cell, trial.metrics(cell, [1, 2])) for cell in one.cells))
    expected = claim_values(one, metrics)
    found = {row.world: row.value for row in read_sensitivity([out])}
    assert found == pytest.approx(expected, rel=1e-5)
    assert set(found) == {1, 2}


def test_two_runs_give_the_same_bytes(config, definition, tmp_path):
    definition["claims"] = [each for each in definition["claims"] if each["name"] == "anns_collapse"]
    definition["worlds"] = {"crawler": 1, "anns": 1}
    for name in ("one", "two"):
        out = tmp_path / f"{name}.csv"
        write_sensitivity(config, "stream2llm", HARDWARE, definition, "first_pool", out, progress=False)
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()


def test_an_unknown_assumption_is_one_line(config, definition, tmp_path):
    with pytest.raises(
        HeadraceError, match=r"no assumption 'kv_pol' touches a claim; did you mean 'kv_pool'?"
    ):
        write_sensitivity(
            config, "stream2llm", HARDWARE, definition, "kv_pol", tmp_path / "x.csv", progress=False
        )


def test_claims_can_be_about_what_metrics_hold(config):
    cell = {
        "backend": "sim",
        "hardware": HARDWARE,
        "workload": "anns",
        "delay": 30,
        "eviction": "cost_published",
        "policy": "default_vllm",
        "stream": True,
        "qps": 4.0,
    }
    config["hardware"][HARDWARE] |= {"kv_blocks": 7600}
    config["workloads"]["anns"]["queries"] = 80
    found = set(Trial(config, "stream2llm").metrics(cell, [1])["quantity"])
    assert set(QUANTITIES) <= found
    assert found - set(QUANTITIES) == {"requests", "refused", "published_gaps", "overload"}
