import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.perf import Overheads
from headrace.sim.client import Client


def overheads(handover_s=0.0, handover_token_s=0.0, tokenise_token_s=0.0, reply_s=0.0) -> Overheads:
    return Overheads.none(
        handover_s=handover_s,
        handover_token_s=handover_token_s,
        tokenise_token_s=tokenise_token_s,
        reply_s=reply_s,
    )


def client(arrival_s, chunks, text_tokens, costs) -> Client:
    """chunks: (query, offset_s, tokens)."""
    query, offset_s, tokens = (np.array(column) for column in zip(*chunks, strict=True))
    return Client(np.array(arrival_s), query, offset_s, tokens, np.array(text_tokens), costs)


def times(arrival_s, chunks, text_tokens, costs) -> list[float]:
    return client(arrival_s, chunks, text_tokens, costs).returned_s.tolist()


def test_tokenisation_of_one_query_delays_the_hand_overs_of_another():
    """0..1 tokenises query 0; its chunk, due at 0.5, goes 1..1.2; 1.2..2.2 tokenises query 1, due at 1;
    its chunk, due at 1 as well, goes 2.2..2.4; the last one is due at 9 and finds the loop free."""
    costs = overheads(handover_s=0.2, tokenise_token_s=0.1)
    chunks = [(0, 0.5, 5), (0, 9.0, 5), (1, 0.0, 10)]
    assert times([0.0, 1.0], chunks, [10, 10], costs) == pytest.approx([1.2, 9.2, 2.4])


def test_long_messages_take_longer():
    assert times([0.0], [(0, 1.0, 100)], [100], overheads(0.5, 0.01)) == pytest.approx([2.5])


def test_a_client_without_costs_is_on_schedule():
    assert times([1.0, 2.0], [(0, 0.5, 9), (1, 0.25, 9)], [9, 9], overheads()) == [1.5, 2.25]


def test_a_token_is_noted_when_the_loop_is_through_with_what_was_due_before_it():
    """The loop works 0..1 (query 0's text), 1..1.2 (its chunk, due at 0.5), 1.2..2.2 (query 1's text, due
    at 1), 2.2..2.4 (its chunk, due at 1) and 9..9.2. A token that reaches the client at 0.75 waits for the
    first two, one at 1.5 for all but the last, one at 5 for none; one at 9.1 for the last."""
    costs = overheads(handover_s=0.2, tokenise_token_s=0.1, reply_s=0.25)
    chunks = [(0, 0.5, 5), (0, 9.0, 5), (1, 0.0, 10)]
    loop = client([0.0, 1.0], chunks, [10, 10], costs)
    noted = loop.noted_s(np.array([0.5, 1.25, 4.75, 8.85, np.nan]))
    assert noted == pytest.approx([1.2, 2.4, 5.0, 9.2, np.nan], nan_ok=True)


def test_a_token_before_the_first_query_waits_for_nothing():
    loop = client([3.0], [(0, 1.0, 5)], [10], overheads(tokenise_token_s=0.1))
    assert loop.noted_s(np.array([1.0])).tolist() == [1.0]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.floats(0, 5), st.integers(1, 50)), min_size=1, max_size=20),
    st.lists(st.floats(0, 5), min_size=4, max_size=4),
)
def test_against_a_loop_that_does_one_thing_after_the_other(chunks, arrivals):
    chunks, arrivals = sorted(chunks), sorted(arrivals)
    costs = overheads(0.1, 0.01, 0.02)
    text = [7, 8, 9, 10]
    jobs = [(arrivals[q], 0, q, 0.02 * text[q]) for q in range(4)]
    jobs += [(arrivals[q] + o, 1, i, 0.1 + 0.01 * n) for i, (q, o, n) in enumerate(chunks)]
    free, expected = 0.0, {}
    for due, is_chunk, index, cost in sorted(jobs, key=lambda job: job[:3]):
        free = max(free, due) + cost
        if is_chunk:
            expected[index] = free
    assert times(arrivals, chunks, text, costs) == pytest.approx([expected[i] for i in range(len(chunks))])
