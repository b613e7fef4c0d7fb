import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.metrics import cell_metrics
from headrace.metrics.overload import (
    growing_backlog,
    is_overloaded,
    offered_loads,
    overloaded_cell,
    overloaded_cells,
)

AXES = {
    "backend": "sim",
    "hardware": "h200-tp2",
    "workload": "crawler",
    "delay": 10,
    "eviction": "swap",
    "policy": "fcfs",
    "stream": True,
    "qps": 1.0,
}


def world(waits_s, number=0):
    """One arrival per second, handed over at once; `waits_s` (TTFT by request) may hold None for refused."""
    arrival = np.arange(len(waits_s), dtype=float)
    first = [None if wait is None else time + wait for time, wait in zip(arrival, waits_s, strict=True)]
    integers = dict.fromkeys(
        ("invalidated_tokens", "preemptions_recompute", "preemptions_swap"), np.zeros(len(waits_s), np.int64)
    )
    times = {"arrival_s": arrival, "handed_over_s": arrival, "first_token_s": first, "finished_s": first}
    return pl.DataFrame(
        {"world": [number] * len(waits_s), "opened_s": arrival, "ttft_s": waits_s, "e2e_s": waits_s}
        | times
        | integers
    ).with_columns(pl.col("first_token_s", "finished_s", "ttft_s", "e2e_s").cast(pl.Float64))


def test_a_backlog_that_grows_evenly_is_overload():
    """Four fifths of the work are done in time: after t s, 0.2 t requests wait."""
    assert growing_backlog(world([0.25 * place for place in range(300)]))


def test_a_long_queue_that_holds_is_none():
    assert not growing_backlog(world([20.0] * 300))


@pytest.mark.parametrize(("factor", "grows"), [(1.25, False), (2.0, True)])
def test_a_queue_that_is_longer_at_the_end_has_to_be_much_longer(factor, grows):
    assert growing_backlog(world([20.0] * 200 + [20.0 * factor] * 100)) is grows


def test_a_queue_that_comes_and_goes_is_none():
    waits = [0.1] * 100 + [50.0 - 0.5 * place for place in range(100)] + [0.1] * 100
    assert not growing_backlog(world(waits))


def test_fewer_than_four_waiting_is_no_backlog():
    """From no request to four waiting at the end: a mean of 3.3 in the last third."""
    assert not growing_backlog(world([4.0 * place / 300 for place in range(300)]))
    assert growing_backlog(world([6.0 * place / 300 for place in range(300)]))


def test_refused_requests_wait_for_nothing():
    waits = [0.1 if place % 2 else None for place in range(300)]
    assert not growing_backlog(world(waits))
    assert not growing_backlog(world([None] * 5))


def test_an_offered_load_above_one_is_overload_where_it_is_known():
    calm = world([0.1] * 50)
    assert not is_overloaded(calm)
    assert not is_overloaded(calm, 1.0)
    assert is_overloaded(calm, 1.01)


@pytest.mark.parametrize(("loads", "marked"), [((2, 2, 0.5, 0.5), False), ((2, 2, 2, 0.5), True)])
def test_a_cell_is_marked_if_more_than_half_of_its_worlds_are(loads, marked):
    requests = pl.concat([world([0.1] * 20, number) for number in range(4)])
    assert overloaded_cell(requests, dict(enumerate(loads))) is marked


@settings(max_examples=25)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.1, 2.0)), min_size=1, max_size=6))
def test_a_metrics_table_marks_the_cells_that_their_requests_do(worlds):
    """Each world: whether its backlog grows, and its offered load."""
    tables = [
        world([0.25 * place if grows else 1.0 for place in range(60)], number)
        for number, (grows, _) in enumerate(worlds)
    ]
    requests, loads = pl.concat(tables), {number: load for number, (_, load) in enumerate(worlds)}
    marked = overloaded_cells(cell_metrics(requests, AXES, loads))
    assert marked.drop("overload").rows(named=True) == [AXES]
    assert marked["overload"].to_list() == [overloaded_cell(requests, loads)]


def test_offered_loads_come_from_cell_json(tmp_path):
    requests = tmp_path / "requests.parquet"
    assert offered_loads(requests) == {}
    worlds = [{"world": 0, "offered_load": 0.5}, {"world": 1, "offered_load": None}, {"world": 2}]
    (tmp_path / "cell.json").write_text(json.dumps({"worlds": worlds}))
    assert offered_loads(requests) == {0: 0.5}
    (tmp_path / "cell.json").write_text(json.dumps({"backend": "published"}))
    assert offered_loads(requests) == {}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", '{"worlds": 3}', '{"worlds": [{}]}', '{"worlds": [{"world": 0, "offered_load": "x"}]}'],
)
def test_a_damaged_cell_json_is_named_in_one_line(tmp_path, text):
    (tmp_path / "cell.json").write_text(text)
    with pytest.raises(HeadraceError) as error:
        offered_loads(tmp_path / "requests.parquet")
    assert "cell.json" in str(error.value) and "\n" not in str(error.value)
