import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from headrace.metrics.concurrency import concurrent_at_preemption


def table(rows):
    columns = ["arrival_s", "opened_s", "finished_s", "preemptions_recompute", "preemptions_swap"]
    return pl.DataFrame(rows, schema=columns, orient="row", strict=False)


def test_one_sample_per_event_when_the_preempted_request_finishes():
    requests = table(
        [
            (0.0, 1.0, 10.0, 1, 1),  # at 10 s: itself, the 2nd and (by its start only) the 3rd
            (2.0, 3.0, 12.0, 0, 0),
            (9.0, 11.0, 20.0, 1, 0),  # at 20 s: itself and the 4th
            (9.5, 10.5, 30.0, 0, 0),
        ]
    )
    assert concurrent_at_preemption(requests, "arrival_s").tolist() == [4, 4, 2]
    assert concurrent_at_preemption(requests, "opened_s").tolist() == [2, 2, 2]


def test_requests_that_finish_in_the_same_step_all_count():
    requests = table([(0.0, 0.0, 5.0, 1, 0), (1.0, 1.0, 5.0, 0, 1)])
    assert concurrent_at_preemption(requests).tolist() == [2, 2]


def test_no_preemption_no_sample():
    assert len(concurrent_at_preemption(table([(0.0, 0.0, 5.0, 0, 0)]))) == 0


def test_refused_requests_take_no_part():
    requests = table([(0.0, 0.0, 5.0, 1, 0), (1.0, 1.0, None, 0, 0)])
    assert concurrent_at_preemption(requests).tolist() == [1]


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50), st.integers(0, 3)), min_size=1, max_size=30)
)
def test_agrees_with_counting_one_by_one(draws):
    rows = [(float(begin), float(begin), float(begin + length), events, 0) for begin, length, events in draws]
    expected = [
        sum(begin <= finish <= end for begin, _, end, _, _ in rows)
        for _, _, finish, events, _ in rows
        for _ in range(events)
    ]
    assert concurrent_at_preemption(table(rows)).tolist() == expected
