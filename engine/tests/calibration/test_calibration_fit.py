"""Fits of the simulator to itself: what went in comes out, and nothing else is looked at."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.calibration.fit import fit, run
from headrace.calibration.parameters import parameters_of, settings
from headrace.calibration.serving import Serving
from headrace.errors import HeadraceError
from headrace.trial import Trial, changed

REFERENCE = Path(__file__).parents[3] / "data/reference/stream2llm"
STEP = "hardware/h200-tp2/overheads/step_s"
SKEW = "generators/crawler/size_skew"
FRONT = "generators/anns/kept_front_mean"
POOL = "hardware/h200-tp2/kv_blocks"
STUDY = "stream2llm"


def reproduced(config, rows, values, some=None):
    """What the simulator gives for all rows, or for these only."""
    chosen = config["fit"][STUDY]
    serving = Serving(config, STUDY, parameters_of(chosen), rows, chosen["worlds"])
    return serving.reproduce(values, tuple(range(rows.height)) if some is None else some)


@pytest.fixture
def few(rows):
    """Those of one cell."""
    return rows.filter(workload="crawler", stream=True)


@pytest.fixture
def fitted(tmp_path):
    """Fits in a folder of their own."""

    def do(config, rows, name="fit", sources="sources", workers=1):
        return fit(config, STUDY, rows, sources, tmp_path / f"{name}.jsonl", workers)

    return do


def test_the_values_that_made_the_rows_are_found(small, rows, fitted):
    """In two stages: two values from the rows of one workload, then all from all rows."""
    near = {"of": "crawler", "parameters": ["*/step_s", "generators/crawler/*"]}
    near |= {"rows": {"workload": "crawler"}, "evaluations": 90, "step": 0.15}
    last = {"of": "all together", "parameters": ["*"], "evaluations": 90, "step": 0.1}
    config = small(STEP, SKEW, FRONT, stages=[near, last])
    config["fit"][STUDY]["objective"]["tolerance"] = 10.0  # these rows have no luck: ours are the same draws
    truth = {STEP: 0.007, SKEW: 1.1, FRONT: 0.7}
    made = reproduced(config, rows, truth)
    found = fitted(config, rows.with_columns(published=pl.Series(made)))
    crawler, together = found["search"]["stages"]
    assert crawler["parameters"] == [STEP, SKEW]
    assert together["parameters"] == [STEP, SKEW, FRONT]
    assert (crawler["rows"], together["rows"]) == (rows.filter(workload="crawler").height, rows.height)
    for stage, evaluations in ((crawler, 90), (together, 90)):
        assert stage["evaluations"] == evaluations
        assert stage["loss_after"] < stage["loss_before"]
        assert stage["stopped"] == "evaluations"
    before, after = found["loss"]["before"]["loss"], found["loss"]["after"]["loss"]
    assert after < before / 50
    assert found["parameters"][STEP]["fitted"] == pytest.approx(0.007, rel=0.05)
    assert found["parameters"][SKEW]["fitted"] == pytest.approx(1.1, abs=0.05)
    assert found["parameters"][FRONT]["fitted"] == pytest.approx(0.7, abs=0.03)
    for workload in ("anns", "crawler"):
        assert found["summary"][workload]["median_after"] < 0.03
    for side in ("moved_down", "moved_up"):
        assert found["parameters"][STEP][side]["misfit"] > 5 * after


def test_the_cost_of_a_swap_and_the_pool_show_in_the_rows_under_pressure(small, config):
    """Both move the two rows that are there to fix them."""
    swap = "hardware/h200-tp2/overheads/swap_block_s"
    small(swap, POOL)
    config["workloads"]["crawler"]["queries"] = 300
    keys = {"artifact": "table3", "hardware": "h200-tp2", "workload": "crawler"}
    keys |= {"setting": "delay10_cost_published", "qps": 4.0, "policy": "default_vllm", "stream": True}
    rows = pl.DataFrame(
        [
            {**keys, "quantity": "ttft_p99_s", "published": 12.65},
            {**keys, "artifact": "table4", "quantity": "preemptions", "published": 1735.0},
        ]
    )
    (slow_s, preemptions) = reproduced(config, rows, {swap: 2e-4, POOL: 60_000})
    assert preemptions > 0
    assert reproduced(config, rows, {swap: 8e-4, POOL: 60_000}) != [slow_s, preemptions]
    (fast_s, fewer) = reproduced(config, rows, {swap: 2e-4, POOL: 90_000})
    assert fast_s < slow_s
    assert fewer < preemptions


def test_worlds_have_the_published_arrivals_and_their_median_counts(small, rows):
    config = small(STEP, SKEW)
    one = reproduced(config, rows, {STEP: 0.004, SKEW: 1.5})
    config["fit"][STUDY]["worlds"] = {"crawler": 3, "anns": 3}
    three = reproduced(config, rows, {STEP: 0.004, SKEW: 1.5})
    assert one != three
    assert len(one) == len(three) == rows.height


@pytest.fixture
def pressed(small, config):
    """A seconds' and a count's row of one small cell under memory pressure, and where they are served."""
    small(POOL, STEP)
    config["workloads"]["crawler"]["queries"] = 300
    axes = {"hardware": "h200-tp2", "workload": "crawler", "qps": 4.0, "policy": "default_vllm"}
    axes |= {"stream": True, "setting": "delay10_cost_published"}
    rows = pl.DataFrame(
        [
            {**axes, "artifact": "table4", "quantity": "preemptions"},
            {**axes, "artifact": "table3", "quantity": "ttft_p99_s"},
        ]
    )
    return Serving(config, STUDY, parameters_of(config["fit"][STUDY]), rows, {"crawler": 1})


def test_the_spread_is_the_standard_deviation_of_the_logarithm_over_draws(pressed, config):
    """Against NumPy's, of every draw's own TTFTs and counts."""
    values = {POOL: 60_000, STEP: 0.004}
    trial = Trial(changed(config, settings(pressed.parameters, values)), STUDY)
    counts, tails_s = [], []
    for world in (1, 2, 3):
        requests = trial.requests(pressed.cells[0], [world])
        counts.append((requests["preemptions_recompute"] + requests["preemptions_swap"]).sum())
        tails_s.append(np.quantile(requests["ttft_s"], 0.99))
    assert len(set(counts)) > 1
    expected = [np.std(np.log1p(counts), ddof=1), np.std(np.log(tails_s), ddof=1)]
    assert pressed.spread(values, {"crawler": 3}) == pytest.approx(expected, rel=1e-9)


def test_equal_draws_have_no_spread_and_a_count_of_none_is_one(pressed, monkeypatch):
    metrics = Trial.metrics

    def same(trial, axes, worlds):
        first = metrics(trial, axes, [1])
        return pl.concat([first.with_columns(world=pl.lit(world, first["world"].dtype)) for world in worlds])

    monkeypatch.setattr(Trial, "metrics", same)
    for blocks in (60_000, 100_000):
        assert pressed.spread({POOL: blocks, STEP: 0.004}, {"crawler": 4}) == pytest.approx([0, 0], abs=1e-12)


def test_a_row_says_how_far_it_is_luck_and_counts_less(small, few, fitted):
    config = small(STEP, SKEW, evaluations=6)
    config["fit"][STUDY]["luck"]["crawler"] = 3
    serving = Serving(config, STUDY, parameters_of(config["fit"][STUDY]), few, {"crawler": 1})
    found = fitted(config, few)
    assert found["search"]["luck"] == {"crawler": 3, "anns": 2}
    spread = serving.spread({STEP: 0.004, SKEW: 1.3}, {"crawler": 3})
    assert [row["spread"] for row in found["rows"]] == pytest.approx(spread, abs=1e-6)
    assert len(set(spread)) == few.height
    misfit = 0.0
    for row, one in zip(found["rows"], spread, strict=True):
        weight = 0.05**2 / (0.05**2 + one**2)
        assert row["weight"] == pytest.approx(weight, abs=1e-6)
        error = math.log(row["before"] / row["published"])
        misfit += weight * 0.02 * (math.hypot(1, error / 0.1) - 1)
    assert found["loss"]["before"]["misfit"] == pytest.approx(misfit, rel=1e-9)


def test_another_tolerance_or_more_draws_for_luck_take_the_kept_points(small, few, fitted, capsys):
    config = small(STEP, SKEW, evaluations=6)
    first = fitted(config, few)
    config["fit"][STUDY]["objective"]["tolerance"] = 0.01
    config["fit"][STUDY]["luck"]["crawler"] = 3
    other = fitted(config, few)
    assert capsys.readouterr().err == ""
    assert [row["before"] for row in other["rows"]] == [row["before"] for row in first["rows"]]
    for row, before in zip(other["rows"], first["rows"], strict=True):
        assert row["spread"] != before["spread"]
        assert row["weight"] == pytest.approx(1 / (1 + (row["spread"] / 0.01) ** 2), rel=1e-3)


def test_only_the_cells_of_the_rows_asked_for_are_served(small, rows, monkeypatch):
    config, served = small(STEP, SKEW), []
    whole = reproduced(config, rows, {STEP: 0.004, SKEW: 1.5})
    metrics = Trial.metrics
    monkeypatch.setattr(Trial, "metrics", lambda *given: served.append(given[1]) or metrics(*given))
    some = (rows["workload"] == "anns").arg_true().to_list()[1:]
    found = reproduced(config, rows, {STEP: 0.004, SKEW: 1.5}, tuple(some))
    assert found == [whole[row] for row in some]
    assert {axes["workload"] for axes in served} == {"anns"}
    assert len(served) == 2


def test_the_document_does_not_depend_on_the_number_of_workers(small, few, fitted):
    config = small(STEP, SKEW, evaluations=6)
    documents = [fitted(config, few, name, workers=workers) for name, workers in (("a", 1), ("b", 2))]
    assert json.dumps(documents[0]) == json.dumps(documents[1])


def test_it_does_not_depend_on_what_the_configuration_holds_where_it_moves(small, few, fitted):
    """So that a fit whose result was adopted gives itself again, from the points that it kept."""
    config = small(STEP, SKEW, evaluations=6)
    first = fitted(config, few)
    config["hardware"]["h200-tp2"]["overheads"]["step_s"] = 0.0123
    config["generators"]["crawler"]["size_skew"] = 0.9
    assert fitted(config, few) == first


def test_stages_are_run_from_kept_points_too(small, rows, fitted, tmp_path):
    """A point of the first stage's cells is none of all cells."""
    first = {"of": "one", "parameters": ["*"], "rows": {"workload": "anns"}, "evaluations": 6, "step": 0.1}
    last = {"of": "two", "parameters": ["*"], "evaluations": 6, "step": 0.05}
    config = small(STEP, SKEW, stages=[first, last])
    found = fitted(config, rows)
    kept = (tmp_path / "fit.jsonl").read_text()
    points = [json.loads(line) for line in kept.splitlines()[1:]]
    assert {len(point["rows"]) for point in points} == {rows.filter(workload="anns").height, rows.height}
    assert all(len(point["reproduced"]) == len(point["rows"]) for point in points)
    assert fitted(config, rows) == found
    assert (tmp_path / "fit.jsonl").read_text() == kept


def test_points_of_another_engine_are_served_anew(small, few, fitted, capsys):
    config = small(STEP, SKEW, evaluations=6)
    first = fitted(config, few)
    config["hardware"]["h200-tp2"]["overheads"]["request_s"] = 0.002
    assert fitted(config, few) != first
    assert "set aside" in capsys.readouterr().err
    fitted(config, few, sources="other sources")
    assert "set aside" in capsys.readouterr().err


def test_a_run_looks_at_calibrated_rows_only(small, tmp_path):
    """The same bytes, whatever all other published numbers say."""
    config = small(STEP, SKEW, evaluations=6)
    poisoned = tmp_path / "reference"
    shutil.copytree(REFERENCE, poisoned)
    for name, kept in (
        ("ttft_seconds.csv", ",main,0.5,|,main,4.0,|crawler,delay10_cost_based|,main,0.25,|anns,main,2.0,"),
        ("preemptions.csv", "crawler,delay10_cost_based,default_vllm"),
    ):
        lines = (poisoned / name).read_text().splitlines()
        for index, line in enumerate(lines[1:], start=1):
            if not any(part in line for part in kept.split("|")):
                head, _, last = line.rpartition(",")
                lines[index] = f"{head},{float(last) * 7 + 1}"
        (poisoned / name).write_text("\n".join(lines) + "\n")
    speedups = poisoned / "ttft_speedups.csv"
    head, *lines = speedups.read_text().splitlines()
    lines = [f"{line.rpartition(',')[0]},{float(line.rpartition(',')[2]) * 3}" for line in lines]
    speedups.write_text("\n".join([head, *lines]) + "\n")
    for name, reference in (("plain", REFERENCE), ("poisoned", poisoned)):
        run(config, STUDY, reference, "sources", tmp_path / name / "fit.json")
    assert speedups.read_text() != (REFERENCE / speedups.name).read_text()
    plain, other = ((tmp_path / name / "fit.json").read_bytes() for name in ("plain", "poisoned"))
    assert plain == other


def test_a_start_that_the_engine_refuses_is_one_line(small, few, fitted):
    config = small(POOL, STEP)
    config["fit"][STUDY]["parameters"][POOL] |= {"start": 10, "low": 5, "high": 20}
    with pytest.raises(
        HeadraceError,
        match=r"^start of the fit: trial of .*: world 1: 119 prompts don't fit a KV pool of 10 blocks;",
    ) as error:
        fitted(config, few)
    assert str(error.value).endswith("; correct the start, or the configuration")
    assert len(str(error.value).splitlines()) == 1


def test_a_workload_of_traces_can_not_be_fitted(small, few, fitted):
    config = small(STEP, SKEW)
    config["workloads"]["crawler"]["source"] = "data/traces/crawler_sample"
    with pytest.raises(HeadraceError, match=r"use source: synthetic"):
        fitted(config, few)
