"""Effects of assumptions on claims: values by hand, published ones, order, table and figure."""

import csv
import re

import pytest

from headrace.errors import HeadraceError
from headrace.plots import sensitivity as figure
from headrace.tables import parity as parity_table
from headrace.tables import sensitivity as table
from headrace.variants.definition import Claim
from headrace.variants.effects import published_value, watched_claims
from headrace.variants.parity import COLUMNS as RUN_COLUMNS
from headrace.variants.sensitivity import COLUMNS

HARDWARE = "h200-tp2"


@pytest.fixture
def outcomes(tmp_path, definition):
    """Made-up results of two claims: the pool matters, the time per step moves little, a reply is 0."""
    definition["claims"] = [
        each for each in definition["claims"] if each["name"] in ("anns_p50", "swap_share")
    ]
    rows = {
        "baseline": [("anns_p50", "baseline", w, v, "", "false") for w, v in ((1, 1.9), (2, 2.1))]
        + [("swap_share", "baseline", 1, 0.17, "", "false")],
        "step_time": [
            ("anns_p50", "lower", 1, 1.9, "0.0032", "false"),
            ("anns_p50", "higher", 1, 2.2, "0.0048", "false"),
            ("swap_share", "lower", 1, "", "0.0032", "false"),
            ("swap_share", "higher", 1, 0.20, "0.0048", "false"),
        ],
        "kv_pool": [
            ("anns_p50", "lower", 1, 1.0, "64000 128000", "false"),
            ("anns_p50", "higher", 1, 3.0, "90000 192000", "true"),
        ],
        "reply_time": [
            ("anns_p50", "lower", 1, 2.0, "0", "false"),
            ("anns_p50", "higher", 1, 2.0, "0", "false"),
        ],
    }
    files = []
    for name, of_name in rows.items():
        files.append(tmp_path / f"{name}.csv")
        with files[-1].open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows([claim, name, *rest] for claim, *rest in of_name)
    return files


def test_medians_changes_and_order_by_hand(outcomes, definition, reference):
    ratio, share = watched_claims(outcomes, reference, definition, HARDWARE)
    assert (ratio.value, ratio.worlds) == (2.0, (1.9, 2.1))
    assert [effect.assumption.name for effect in ratio.effects] == ["kv_pool", "step_time", "reply_time"]
    pool, step, reply = ratio.effects
    assert (ratio.change(pool.lower.value), ratio.change(pool.higher.value)) == (-0.5, 0.5)
    assert (pool.lower.cut, pool.higher.cut) == (False, True)
    assert pool.size == pytest.approx(0.693, abs=1e-3), "a half is as far as a double"
    assert step.size == pytest.approx(0.0953, abs=1e-4)
    assert reply.size == 0
    (moved,) = share.effects
    assert moved.lower.value is None
    assert share.change(moved.higher.value) == pytest.approx(0.03), "points"
    assert moved.size == pytest.approx(0.03)


@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("crawler_p50", 11.021),  # 0.7521 s over 0.0722 s / 1.058
        ("anns_p50", 1.575),
        ("anns_p95", 2.630),
        ("crawler_collapse", 12.164),
        ("anns_collapse", 10.828),
        ("swap_over_recompute", None),  # swap-only runs have no published number here
        ("swap_share", 290 / 1735),
    ],
)
def test_published_values_of_the_main_claims(config, reference, name, published):
    from headrace.scorecard.reference import read_reference

    claims = config["variants"]["stream2llm"]["sensitivity"]["claims"]
    (given,) = (claim for claim in claims if claim["name"] == name)
    found = published_value(Claim.of(given, HARDWARE), read_reference(reference[0].parent))
    assert found == (published and pytest.approx(published, rel=2e-3))


def test_on_hardware_without_published_numbers_there_is_none(outcomes, definition, reference):
    ratio, _ = watched_claims(outcomes, reference, definition, "a40-tp1")
    assert ratio.published is None


def test_claims_without_a_value_are_left_out(outcomes, definition, reference):
    text = outcomes[0].read_text()
    outcomes[0].write_text(re.sub(r"(swap_share,baseline,baseline,1),[\d.]+", r"\1,", text))
    assert [each.claim.name for each in watched_claims(outcomes, reference, definition, HARDWARE)] == [
        "anns_p50"
    ]
    with pytest.raises(HeadraceError, match="sensitivity: no claim has a value; generate a workload"):
        watched_claims(outcomes[1:], reference, definition, HARDWARE)


def test_a_faulty_file_is_one_line(outcomes, definition, reference):
    outcomes[1].write_text(outcomes[1].read_text().replace("higher", "up", 1))
    with pytest.raises(HeadraceError, match=r"step_time.csv: line 3: unknown direction 'up'"):
        watched_claims(outcomes, reference, definition, HARDWARE)


def test_the_table_says_it_by_numbers(outcomes, definition, reference, tmp_path):
    table.write(outcomes, reference, definition, HARDWARE, tmp_path / "t", "simulated; model x")
    page = (tmp_path / "t.md").read_text()
    assert page.startswith(
        "# Sensitivity of the main claims to the assumptions\n\nSimulated; model x. h200-tp2."
    )
    assert "Nothing moved: **2.00** (1.90 to 2.10 in 2 worlds). Published: 1.57." in page
    lines = [re.sub(r" +", " ", line) for line in page.splitlines()]
    assert (
        "| KV pool and swap pool | 64,000, 128,000 | 1.00 (-50.0%) | 90,000, 192,000 \\* | 3.00 (+50.0%) |"
        in lines
    )
    assert "| software time per step | 0.0032 | - | 0.0048 | 20% (+3.0) |" in lines
    rows = list(csv.DictReader((tmp_path / "t.csv").open()))
    assert [(row["claim"], row["assumption"]) for row in rows] == [
        ("anns_p50", "kv_pool"),
        ("anns_p50", "step_time"),
        ("anns_p50", "reply_time"),
        ("swap_share", "step_time"),
    ]
    assert (rows[0]["lower_change"], rows[0]["higher_cut"], rows[3]["lower"]) == ("-0.5", "true", "")


@pytest.fixture
def kept(monkeypatch):
    """The figures that were drawn; nothing is written."""
    figures = []
    monkeypatch.setattr(
        figure, "save", lambda drawn, _: (drawn.draw_without_rendering(), figures.append(drawn))
    )
    return figures


def test_the_figure_draws_what_moves_and_says_what_does_not(outcomes, definition, reference, tmp_path, kept):
    figure.draw(outcomes, reference, definition, HARDWARE, tmp_path / "f", "simulated; model x")
    ratio, share = [axes for axes in kept[0].axes if axes.axison]
    assert [label.get_text() for label in ratio.get_yticklabels()] == [
        "KV pool and swap pool",
        "software time per step",
    ]
    bars = [patch for patch in ratio.patches if patch.get_height() < 1 and patch.get_y() != 0]
    (band,) = [patch for patch in ratio.patches if patch not in bars]
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((1.9, 2.1)), "its worlds"
    ends = sorted(round(bar.get_x() + bar.get_width(), 3) for bar in bars)
    assert ends == [1.0, 1.9, 2.2, 3.0]
    hatched = [bar.get_x() + bar.get_width() for bar in bars if bar.get_hatch()]
    assert hatched == [pytest.approx(3.0)], "the value that was stopped at its limit"
    lines = [line.get_xdata()[0] for line in ratio.lines]
    assert lines == [2.0, pytest.approx(1.575, rel=1e-3)]
    assert ratio.get_xscale() == "log"
    assert share.get_xscale() == "linear"
    note = kept[0].get_supxlabel()
    assert "0, so not moved: way of a token to the client (anns)." in note.replace("\n", " ")
    assert "simulated; model x." in note


def test_more_than_ten_assumptions_are_summed_up(
    outcomes, definition, reference, tmp_path, kept, monkeypatch
):
    monkeypatch.setattr(figure, "SHOWN", 1)
    figure.draw(outcomes, reference, definition, HARDWARE, tmp_path / "f", "simulated")
    names = [label.get_text() for label in kept[0].axes[0].get_yticklabels()]
    assert names == ["KV pool and swap pool", "1 other within ±10 %"]


def test_figure_and_table_are_the_same_bytes_twice(outcomes, definition, reference, tmp_path):
    for name in ("one", "two"):
        figure.draw(outcomes, reference, definition, HARDWARE, tmp_path / name, "simulated")
        table.write(outcomes, reference, definition, HARDWARE, tmp_path / name, "simulated")
    for kind in ("svg", "csv"):
        assert (tmp_path / f"one.{kind}").read_bytes() == (tmp_path / f"two.{kind}").read_bytes()


def test_ticks_are_few_and_round():
    assert figure._ticks(1.0, 10.0) == [1, 1.5, 2, 3, 5, 7, 10]
    for low, high in ((1.21, 1.74), (0.98, 1.02), (4.5, 12.0), (1.2, 240.0), (1e-3, 2e-3)):
        found = figure._ticks(low, high)
        assert 2 <= len(found) <= 11
        assert all(low <= value <= high for value in found)


def test_the_table_of_parity_says_of_what_the_difference_is(tmp_path):
    rows = [
        "toy,anns,default_vllm,false,0,500,100,5,50000,1,9,90,1,200,800,6000,6000,0,0,0",
        "toy,anns,fcfs,true,0,500,125,4,40000,0.8,24,99,0.909091,250,810,6000,6600,300,7,1",
        "toy,anns,lcas,true,0,500,101,4.95,49500,0.990099,9,91,0.989011,200,800,6000,6000,0,0,0",
    ]
    (tmp_path / "runs.csv").write_text("\n".join([",".join(RUN_COLUMNS), *rows]) + "\n")
    parity_table.write([tmp_path / "runs.csv"], tmp_path / "parity", "simulated; model x")
    page = (tmp_path / "parity.md").read_text()
    assert (
        "Within 2.0% of non-streaming: 1 of 2 streaming policies. The furthest is fcfs, at 0.800 of its"
        " throughput; the engine alone is at 0.909. Completion: +25.0 s (mean over worlds), of which +15.0 s"
        " until the first hand-over, while the client tokenises and the engine is idle (24.0 instead of"
        " 9.00 s), +9.0 s busy and +1.0 s idle later. Work: 5.0% of the tokens invalidated, 5.0% computed"
        " again, +1.25% steps of 8.15 instead of 7.50 tokens, 250 instead of 200 unfinished requests."
    ) in page
    assert "is missed" not in page
    found = list(csv.DictReader((tmp_path / "parity.csv").open()))
    idle = {row["policy"]: row["median"] for row in found if row["quantity"] == "idle_s"}
    assert idle == {"default_vllm": "10", "fcfs": "26", "lcas": "10"}


def test_the_table_of_parity_names_the_client_where_the_engine_alone_would_be_within_it(tmp_path):
    """Completion is 25 s later, the first hand-over 20 s, the engine 1 s longer busy: 20 / 25."""
    rows = [
        "toy,anns,default_vllm,false,0,500,100,5,50000,1,9,90,1,200,800,6000,6000,0,0,0",
        "toy,anns,fcfs,true,0,500,125,4,40000,0.8,29,91,0.989011,250,810,6000,6600,300,7,1",
    ]
    (tmp_path / "runs.csv").write_text("\n".join([",".join(RUN_COLUMNS), *rows]) + "\n")
    parity_table.write([tmp_path / "runs.csv"], tmp_path / "parity", "simulated; model x")
    assert (
        "**Why 2.0% is missed**: 80% of the difference is the engine's idle time"
        in (tmp_path / "parity.md").read_text()
    )
