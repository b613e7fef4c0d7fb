from hypothesis import given
from hypothesis import strategies as st

from headrace.request import Request
from headrace.scheduling.order import Order


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 20), st.booleans())))
def test_the_order_is_always_sorted_and_holds_exactly_what_was_put(changes):
    """Keys change before the order hears of it, as they do in an engine."""
    requests = [Request(i) for i in range(8)]
    order, inside = Order(lambda r: (r.computed, r.id)), set()
    for index, computed, put in changes:
        request = requests[index]
        request.computed = computed
        if put:
            order.put(request)
            inside.add(request)
        elif request in inside:
            order.remove(request)
            inside.remove(request)
        filed = sorted(inside, key=lambda r: r.key)
        assert order.requests == filed
        assert order.keys == [r.key for r in filed]
        assert all(r.key is None for r in requests if r not in inside)
        if put:
            assert request.key == (computed, index)


def test_keep_files_only_requests_with_something_to_compute():
    request, order = Request(0), Order(lambda r: (r.id,))
    request.change_prompt(10, 0, False)
    order.keep(request)
    assert order.requests == [request]
    request.computed = 10
    order.keep(request)
    assert order.requests == [] and request.key is None
