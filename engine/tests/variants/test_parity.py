"""Throughput with all arrivals at once, worked by hand for two requests."""

import pytest

from headrace.errors import HeadraceError
from headrace.variants.parity import COLUMNS, read_parity, write_parity


@pytest.fixture
def runs(toy, tmp_path):
    """The runs of the toy: default_vllm whole, fcfs streaming."""
    configuration, cell = toy
    write_parity(configuration, "toy", [cell], {"anns": 1}, tmp_path / "parity.csv", progress=False)
    return {(run.policy, run.stream): run for run in read_parity(tmp_path / "parity.csv")}


def test_whole_prompts_by_hand(runs):
    """Query 1: 20 tokens from 1 s to 3 s; query 0: 30 tokens from 3 s to 6 s."""
    run = runs["default_vllm", False]
    assert (run.completion_s, run.busy_s, run.idle_s, run.steps) == pytest.approx((6.0, 5.0, 1.0, 2))
    assert (run.first_handover_s, run.idle_later_s) == pytest.approx((1.0, 0.0))
    assert (run.throughput_ratio, run.busy_ratio) == (1.0, 1.0)
    assert (run.prompt_tokens, run.computed_tokens, run.invalidated_tokens) == (50, 50, 0)
    assert run.request_throughput == pytest.approx(2 / 6, rel=1e-5)
    assert run.unfinished == pytest.approx((2 + 3) / 6, rel=1e-5)


def test_streaming_by_hand(runs):
    """30 tokens of both from 1 s to 4 s, then 25 of query 0, whose update kept 5, until 6.5 s."""
    run = runs["fcfs", True]
    assert (run.completion_s, run.busy_s, run.steps) == pytest.approx((6.5, 5.5, 2))
    assert (run.prompt_tokens, run.computed_tokens, run.invalidated_tokens) == (50, 55, 5)
    assert run.again_tokens == 0
    assert run.tokens_per_step == 27.5
    assert run.throughput_ratio == pytest.approx(6.0 / 6.5, rel=1e-5)
    assert run.busy_ratio == pytest.approx(5.0 / 5.5, rel=1e-5)
    assert run.token_throughput == pytest.approx(50 / 6.5, rel=1e-5)
    assert run.unfinished == pytest.approx((5.5 + 3.0) / 6.5, rel=1e-5)


def test_request_rates_do_not_matter(toy, tmp_path):
    configuration, cell = toy
    for name, qps in (("slow", 0.25), ("fast", 8.0)):
        cells = [{**cell, "qps": qps}]
        write_parity(configuration, "toy", cells, {"anns": 1}, tmp_path / f"{name}.csv", progress=False)
    assert (tmp_path / "slow.csv").read_bytes() == (tmp_path / "fast.csv").read_bytes()


def test_the_baseline_is_served_once_and_first(toy, tmp_path):
    configuration, cell = toy
    whole = {**cell, "policy": "default_vllm", "stream": False}
    write_parity(configuration, "toy", [cell, whole], {"anns": 2}, tmp_path / "p.csv", progress=False)
    runs = read_parity(tmp_path / "p.csv")
    assert [(run.policy, run.world) for run in runs] == [
        ("default_vllm", 0),
        ("default_vllm", 1),
        ("fcfs", 0),
        ("fcfs", 1),
    ]
    assert len({run.throughput_ratio for run in runs[2:]}) == 1


def test_pressure_costs_throughput_in_a_small_study(config, tmp_path):
    """A pool that holds few prompts at once: preempted requests compute their tokens again."""
    config["hardware"]["h200-tp2"] |= {"kv_blocks": 7600, "host_blocks": 0}
    cell = {
        "backend": "sim",
        "hardware": "h200-tp2",
        "workload": "crawler",
        "delay": 1,
        "eviction": "recompute",
        "policy": "mcps",
        "stream": True,
        "qps": 4.0,
    }
    config["workloads"]["crawler"]["queries"] = 400
    write_parity(config, "stream2llm", [cell], {"crawler": 1}, tmp_path / "p.csv", progress=False)
    base, streaming = read_parity(tmp_path / "p.csv")
    assert base.preemptions_recompute == base.again_tokens == 0
    assert streaming.preemptions_recompute > 0
    assert streaming.again_tokens > 0
    assert streaming.throughput_ratio < 1


def test_a_wrong_table_is_one_line(tmp_path):
    file = tmp_path / "parity.csv"
    file.write_text(
        ",".join(COLUMNS)
        + "\n"
        + ",".join(["toy", "anns", "fcfs", "yes", *["1"] * (len(COLUMNS) - 4)])
        + "\n"
    )
    with pytest.raises(HeadraceError, match=r"parity.csv: line 2: unknown stream 'yes'"):
        read_parity(file)


def test_an_older_table_is_told_to_be_made_again(tmp_path):
    file = tmp_path / "parity.csv"
    file.write_text("hardware,workload\ntoy,anns\n")
    with pytest.raises(HeadraceError, match=r"misses column 'policy'.*make it again: snakemake parity"):
        read_parity(file)
