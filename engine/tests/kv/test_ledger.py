import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.kv import Ledger, LedgerError
from headrace.request import Request


def request_with(computed: int) -> Request:
    request = Request(0)
    request.change_prompt(1000, 0, False)
    request.computed = computed
    return request


def test_a_swap_moves_only_what_is_computed_and_frees_the_preallocated_blocks():
    ledger, request = Ledger(blocks=10, host_blocks=5, block_size=16), request_with(33)
    ledger.grow(request, 7)
    assert ledger.swap_out(request) == 3  # 33 tokens lie in 3 blocks of 16
    assert (request.blocks, request.host_blocks, ledger.free, ledger.host_free) == (0, 3, 10, 2)
    assert ledger.swap_in(request, 6) == 3
    assert (request.blocks, request.host_blocks, ledger.free, ledger.host_free) == (6, 0, 4, 5)


def test_trim_keeps_the_block_that_the_prefix_ends_in_on_both_sides():
    ledger, request = Ledger(10, 10, 16), request_with(100)
    ledger.grow(request, 8)
    ledger.trim(request, 17)
    assert (request.blocks, ledger.free) == (2, 8)
    request.computed = 17
    ledger.swap_out(request)
    ledger.trim(request, 16)
    assert (request.host_blocks, ledger.host_free) == (1, 9)
    ledger.trim(request, 0)
    assert (request.host_blocks, ledger.host_free) == (0, 10)


@pytest.mark.parametrize(
    "overdraw",
    [
        lambda ledger, request: ledger.grow(request, 5),
        lambda ledger, request: ledger.grow(request, -1),
        lambda ledger, request: ledger.swap_out(request),
    ],
)
def test_a_pool_can_not_be_overdrawn(overdraw):
    ledger = Ledger(blocks=4, host_blocks=1, block_size=16)
    with pytest.raises(LedgerError):
        overdraw(ledger, request_with(32))
    assert (ledger.free, ledger.host_free) == (4, 1)


def test_nobody_gives_back_more_than_the_pool_holds():
    ledger, request = Ledger(blocks=4, host_blocks=0, block_size=16), request_with(32)
    ledger.grow(request, 2)
    request.blocks = 3
    with pytest.raises(LedgerError, match="more than it held"):
        ledger.release(request)


def test_a_host_copy_needs_as_many_gpu_blocks():
    ledger, request = Ledger(8, 8, 16), request_with(64)
    ledger.grow(request, 4)
    ledger.swap_out(request)
    with pytest.raises(LedgerError, match="needs 4 blocks"):
        ledger.swap_in(request, 3)


def test_the_audit_finds_a_block_owned_twice_and_one_lost():
    ledger, request, other = Ledger(8, 0, 16), request_with(0), request_with(0)
    ledger.grow(request, 3)
    ledger.audit([request, other])
    other.blocks = 1
    with pytest.raises(LedgerError, match="4 held and 5 free"):
        ledger.audit([request, other])
    other.blocks, request.blocks = 0, 2
    with pytest.raises(LedgerError, match="2 held and 5 free"):
        ledger.audit([request, other])


@given(
    st.lists(st.tuples(st.sampled_from(["grow", "release", "out", "in", "drop", "trim"]), st.integers(0, 12)))
)
def test_no_sequence_of_operations_loses_or_doubles_a_block(operations):
    ledger, request = Ledger(blocks=12, host_blocks=6, block_size=16), request_with(60)
    for name, amount in operations:
        try:
            if name == "grow" and not request.host_blocks:
                ledger.grow(request, amount)
            elif name == "out" and request.blocks:
                ledger.swap_out(request)
            elif name == "in" and request.host_blocks:
                ledger.swap_in(request, amount)
            elif name == "trim":
                ledger.trim(request, amount * 16)
            elif name in ("release", "drop") and not request.host_blocks:
                getattr(ledger, name)(request)
        except LedgerError:
            pass
        ledger.audit([request])
