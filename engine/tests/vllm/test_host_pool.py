"""The account of host slots, against a model that stores what is copied."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.vllm.host_pool import HostPool, HostPoolError

REQUESTS = ("a", "b", "c", "d")
GPU_BLOCKS = 12


@st.composite
def operations(draw):
    """Some steps, each with a few calls for random requests."""
    call = st.tuples(
        st.sampled_from(("out", "in", "trim", "forget")), st.sampled_from(REQUESTS), st.integers(0, 5)
    )
    return draw(st.lists(st.lists(call, max_size=8), max_size=8))


@settings(max_examples=400, deadline=None)
@given(operations(), st.integers(1, 9), st.randoms(use_true_random=False))
def test_what_is_brought_back_is_what_was_kept(steps, host_blocks, random):
    """GPU blocks are scrambled after each swap-out, as if they were handed out again at once."""
    pool, gpu, host = HostPool(host_blocks), {}, {}
    kept, expected, stamp = {}, [], 0
    for step in steps:
        asked = []
        for kind, request, n in step:
            held = len(kept.get(request, ()))
            ids = random.sample(range(GPU_BLOCKS), n)
            if kind == "out":
                if held or not n or n > pool.free:
                    with pytest.raises(HostPoolError):
                        pool.swap_out(request, ids)
                    continue
                stamp += 1
                kept[request] = [(stamp, i) for i in range(n)]
                pool.swap_out(request, ids)
                asked.append(("out", ids, list(kept[request])))
            elif kind == "in":
                if not 0 < held <= n:
                    with pytest.raises(HostPoolError):
                        pool.swap_in(request, ids)
                    continue
                pool.swap_in(request, ids)
                asked.append(("in", ids[:held], kept.pop(request)))
            else:
                keep = n if kind == "trim" else 0
                if kind == "trim":
                    pool.trim(request, n)
                else:
                    pool.forget(request)
                kept[request] = kept.get(request, [])[:keep]
            assert pool.holds(request) == len(kept.get(request, ()))
            assert pool.free == host_blocks - sum(map(len, kept.values()))
        copies = pool.take_copies()
        assert [(copy.direction, copy.gpu_blocks) for copy in copies] == [a[:2] for a in asked]
        for copy, (_, ids, content) in zip(copies, asked, strict=True):
            assert len(set(copy.host_slots)) == len(copy.host_slots) == len(ids)
            if copy.direction == "out":
                gpu.update(zip(ids, content, strict=True))
                host.update((slot, gpu[block]) for block, slot in zip(ids, copy.host_slots, strict=True))
                gpu = dict.fromkeys(gpu)
            else:
                expected.append(content)
                assert [host[slot] for slot in copy.host_slots] == content
        assert pool.take_copies() == []


def test_a_slot_is_reused_within_a_step():
    """Two requests change places in a pool that holds one: the second copy takes the first one's slots."""
    pool = HostPool(2)
    pool.swap_out("a", [5, 3])
    pool.take_copies()
    pool.swap_in("a", [7, 8, 9])
    pool.swap_out("b", [1, 2])
    brought_in, taken_out = pool.take_copies()
    assert brought_in.gpu_blocks == [7, 8] and taken_out.gpu_blocks == [1, 2]
    assert sorted(brought_in.host_slots) == sorted(taken_out.host_slots)
    assert [brought_in.direction, taken_out.direction] == ["in", "out"]


def test_copies_are_not_changed_by_what_comes_later():
    """A trim after the copy was asked for frees the slots, and leaves the copy alone."""
    pool = HostPool(3)
    pool.swap_out("a", [5, 3, 4])
    pool.trim("a", 1)
    assert pool.free == 2 and pool.holds("a") == 1
    (copy,) = pool.take_copies()
    assert len(copy.host_slots) == 3


def test_forgetting_an_unknown_request_is_no_mistake():
    pool = HostPool(3)
    pool.forget("nobody")
    assert pool.free == 3 and pool.holds("nobody") == 0
