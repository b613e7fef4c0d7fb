"""Assumptions moved by a share of their value, as far as they can go."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.trial import changed
from headrace.variants.definition import Assumption, number_at
from headrace.variants.moves import limits, moved

POOL = "hardware/h200-tp2/kv_blocks"


def move(config, path, factor):
    assumption = Assumption("one", "one", (path,))
    result = moved(config, "stream2llm", assumption, factor)
    return result.values[path], result.cut


def test_a_value_moves_by_the_factor(config):
    config["hardware"]["h200-tp2"]["overheads"]["step_s"] = 0.004
    assert move(config, "hardware/h200-tp2/overheads/step_s", 0.8) == (0.0032, False)
    assert move(config, "hardware/h200-tp2/overheads/step_s", 1.2) == (0.0048, False)


def test_whole_numbers_stay_whole(config):
    config["generators"]["anns"]["documents_per_pool"] = 7
    value, cut = move(config, "generators/anns/documents_per_pool", 1.2)
    assert (value, type(value), cut) == (8, int, False)


@pytest.mark.parametrize(
    ("path", "before", "factor", "after"),
    [
        ("generators/crawler/gap_position_correlation", 0.9, 1.2, 1.0),
        ("generators/crawler/gap_position_correlation", -0.9, 1.2, -1.0),
        ("generators/anns/pool_overlap", 0.9, 1.2, 1.0),
        ("generators/anns/kept_front_mean", 0.9, 1.2, 0.99),
        ("generators/anns/documents_per_pool", 1, 0.2, 1),
    ],
)
def test_a_natural_limit_cuts(config, path, before, factor, after):
    assert move(changed(config, {path: before}), path, factor) == (after, True)


def test_a_quantile_stays_between_its_neighbours(config):
    tokens = config["generators"]["crawler"]["total_tokens"]
    tokens |= {"p95": 28000, "p99": 50000, "p99.9": 105000, "max": 120000}
    path = "generators/crawler/total_tokens"
    assert limits(config, "stream2llm", f"{path}/p99") == (28000, 105000)
    assert move(config, f"{path}/p99.9", 1.2) == (120000, True)
    assert move(config, f"{path}/p99", 0.5) == (28000, True)
    assert move(config, f"{path}/p99", 1.2) == (60000, False)


def test_the_pool_holds_the_longest_prompt(config):
    for generator in config["generators"].values():
        generator["total_tokens"]["max"] = 120000
    smallest = 120000 // 16 + 4
    assert move(changed(config, {POOL: 9000}), POOL, 0.8) == (smallest, True)
    assert move(changed(config, {POOL: 90000}), POOL, 0.8) == (72000, False)


def test_what_is_beyond_its_limit_already_is_not_pushed_back(config):
    assert move(changed(config, {POOL: 100}), POOL, 0.8) == (100, True)


def test_paths_of_an_assumption_move_together(config):
    both = Assumption("pool", "pool", (POOL, "hardware/h200-tp2/host_blocks"))
    config = changed(config, {POOL: 80000, "hardware/h200-tp2/host_blocks": 160000})
    assert list(moved(config, "stream2llm", both, 1.2).values.values()) == [96000, 192000]


def test_nothing_is_changed_in_place(config):
    kept = copy.deepcopy(config)
    move(config, POOL, 0.8)
    assert config == kept


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("hardware/h200-tp2/kv_block", "hardware/h200-tp2/kv_block: there is no 'kv_block'; did you mean"),
        ("hardware/h200-tp2/gpu", "hardware/h200-tp2/gpu: is no number; name the number"),
        ("hardware/h200-tp2/calibrated", "hardware/h200-tp2/calibrated: is no number"),
        ("hardware/h200-tp2", "hardware/h200-tp2: is no number"),
        ("seed/more", "seed/more: there is no 'more'; end the path before it"),
    ],
)
def test_a_path_that_leads_to_no_number_is_one_line(config, path, line):
    with pytest.raises(HeadraceError) as error:
        number_at(config, path)
    assert str(error.value).startswith(line)


PATHS = [
    "hardware/h200-tp2/overheads/swap_block_s",
    POOL,
    "generators/crawler/size_skew",
    "generators/crawler/tokens_duration_correlation",
    "generators/crawler/total_tokens/p99.9",
    "generators/anns/first_pool_share",
    "generators/anns/total_tokens/p99",
]


@given(path=st.sampled_from(PATHS), factor=st.floats(0.0, 3.0))
def test_a_move_goes_the_right_way_and_no_further_than_it_can(_whole, path, factor):
    value = number_at(_whole, path)
    low, high = limits(_whole, "stream2llm", path)
    after, cut = move(_whole, path, factor)
    assert min(low, value) <= after <= max(high, value)
    assert (after - value) * (factor - 1) * value >= 0
    assert cut or after == pytest.approx(value * factor, rel=1e-9, abs=0.5 * isinstance(value, int))
