"""Token counts that add up."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headrace.workload.sizes import split


def test_parts_go_by_weight_and_have_at_least_one_token():
    # 13 tokens: 1 each, the other 10 as 1 to 4; a total below its count is raised to it.
    assert split(np.array([12, 1]), np.array([2, 3]), np.array([1.0, 4.0, 1.0, 1.0, 1.0])).tolist() == [
        *(3, 9),
        *(1, 1, 1),
    ]


def test_what_lies_beyond_the_largest_part_goes_to_the_others_by_their_weights():
    # By weight 8 : 1 : 1 of 100; cut at 40, the other 60 are shared evenly.
    parts = split(np.array([103]), np.array([3]), np.array([8.0, 1.0, 1.0]), most_tokens=40)
    assert parts.tolist() == [41, 31, 31]
    # 16 : 4 : 1 of 105 is 80, 20, 5; the second gets 32 of the 40 cut off, and is cut in its turn.
    parts = split(np.array([108]), np.array([3]), np.array([16.0, 4.0, 1.0]), most_tokens=40)
    assert parts.tolist() == [41, 41, 26]


def test_a_total_with_no_room_left_is_split_evenly():
    assert (
        split(np.array([300]), np.array([3]), np.array([5.0, 2.0, 1.0]), most_tokens=10).tolist() == [100] * 3
    )


@given(
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 6)), min_size=1, max_size=8),
    st.integers(0, 2**32 - 1),
    st.integers(1, 2000),
)
def test_parts_add_up_and_keep_to_the_limit(pairs, seed, most):
    totals, counts = (np.array(column) for column in zip(*pairs, strict=True))
    weights = np.random.default_rng(seed).lognormal(0, 2, counts.sum())
    parts = split(totals, counts, weights, most)
    ends = np.cumsum(counts)
    for total, count, end in zip(totals, counts, ends, strict=True):
        own = parts[end - count : end]
        assert own.sum() == max(total, count) and own.min() >= 1
        assert own.max() <= max(most + 2, (max(total, count) - count) / count + 2)
