"""A plan is not the dearer for requests that can't be in it."""

from headrace.kv import Ledger
from headrace.request import Request
from headrace.scheduling import OPENED, Limits, scheduler


def test_no_request_is_looked_at_once_every_slot_is_taken():
    looked = []

    class Looking(Request):
        @property
        def computed(self):
            looked.append(self.id)
            return 0

        @computed.setter
        def computed(self, tokens):
            pass

    limits = Limits(token_budget=999, slots=2, blocks=999, host_blocks=0, evict_for_slots=True)
    planner = scheduler("fcfs", "recompute", None, limits)
    for id in range(100):
        request = Looking(id)
        request.prompt, request.opened_s, request.closed = 4, 0.0, True
        planner.event(request, OPENED, 0.0)
    looked.clear()
    assert [request.id for request, *_ in planner.plan(0.0, Ledger(999, 0, 16)).runs] == [0, 1]
    assert set(looked) <= {0, 1, 2}
