"""What is timed is the right work; how long it takes is nobody's promise."""

import gc
import random
from types import SimpleNamespace

import pytest

from headrace.errors import HeadraceError
from headrace.scheduling import CHUNK, OPENED, POLICIES, Limits, load
from headrace.timing import STREAMS, forms_of, medians, scheduling_pass, timed
from headrace.timing.laps import Laps
from headrace.timing.published_pass import TIERS, published_pass

BUDGETS = {"crawler": 2048, "anns": 8192}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_pass_is_timed_in_every_form_the_policy_has(policy):
    times = medians(policy, queued=30, passes=20)
    forms = (
        ["amortised"]
        if policy in ("default_vllm", "vllm_032")
        else ["amortised", "from_scratch", "published_shape"]
    )
    assert list(times) == forms and all(microseconds > 0 for microseconds in times.values())


def test_a_policy_of_ones_own_has_no_published_shape(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "from headrace.scheduling import Policy\n\n\nclass Mine(Policy):\n"
        "    @staticmethod\n    def key(request):\n        return request.prompt, request.id\n"
    )
    assert forms_of(f"{file}:Mine") == ["amortised", "from_scratch"]
    with pytest.raises(HeadraceError, match="fcfs"):
        forms_of("fcsf")


@pytest.mark.parametrize("workload", STREAMS)
@pytest.mark.parametrize("policy", TIERS)
def test_the_published_shape_selects_what_the_product_selects(policy, workload):
    selected = 0
    for queue in scheduling_pass.states(policy, workload, BUDGETS[workload], queued=40, passes=60):
        running = list(queue.scheduler.resident)
        waiting = [request for request in queue.live if request not in queue.scheduler.resident]
        by_id = {request.id: request for request in queue.live}
        key = queue.scheduler.order.key_of
        kept, others = published_pass(by_id, waiting, running, key, TIERS[policy], queue.limits)
        plan = queue.scheduler.plan(queue.now_s, queue.ledger)
        planned = [request for request, *_ in plan.runs]
        assert planned == [*kept, *others[: len(planned) - len(kept)]]
        assert not plan.evictions
        selected += len(planned)
    assert selected >= 60


@pytest.mark.parametrize("form", ["from_scratch", "published_shape"])
def test_every_queued_request_is_sorted_in_every_pass(form, monkeypatch):
    sorted_by = []

    class Counted(load("fcfs")):
        @staticmethod
        def key(request):
            sorted_by.append(request)
            return request.opened_s, request.id

    monkeypatch.setattr(scheduling_pass, "load", lambda policy: Counted)
    scheduling_pass.FORMS[form]("fcfs", "crawler", 2048, 40, 5)
    assert len(sorted_by) == 40 * 5


@pytest.mark.parametrize("policy", TIERS)
def test_sorting_from_scratch_gives_the_order_that_is_kept(policy):
    for queue in scheduling_pass.states(policy, "anns", 8192, queued=40, passes=60):
        kept = list(queue.scheduler.order.requests)
        assert sorted(queue.live, key=queue.scheduler.order.key_of) == kept
        assert len(kept) == 40


@pytest.mark.parametrize("workload", STREAMS)
def test_queues_stay_as_long_and_their_blocks_add_up(workload):
    changed = 0
    for queue in scheduling_pass.states("lcas", workload, BUDGETS[workload], queued=25, passes=400):
        assert len(queue.live) == 25
        assert all(request.prompt > request.computed for request in queue.live)
        queue.ledger.audit(queue.live)
        changed += sum(request.invalidated_tokens > 0 for request in queue.live)
    assert (changed > 0) == (workload == "anns")


@pytest.mark.parametrize("policy", POLICIES)
def test_an_amortised_pass_is_what_the_scheduler_does_and_no_more(policy, monkeypatch):
    """All of its calls, the filing of new requests among them; not the executor's work in between."""
    queue = scheduling_pass.SteadyQueue(policy, STREAMS["crawler"], Limits(2048, 80, 97_000, 0), 40, seed=0)
    monkeypatch.setattr(scheduling_pass, "_queue", lambda *_: queue)
    clock, done, laps = [0], [], []

    def taking(nanoseconds, call, kind=None):
        def timed_call(*arguments):
            clock[0] += nanoseconds
            done.append((kind or arguments[1], nanoseconds))
            return call(*arguments)

        return timed_call

    def end(_, nanoseconds):
        laps.append((nanoseconds, list(done)))
        done.clear()

    scheduler = queue.scheduler
    queue.scheduler = SimpleNamespace(
        event=taking(1, scheduler.event),
        plan=taking(100, scheduler.plan, "plan"),
        stepped=taking(1000, scheduler.stepped, "stepped"),
    )
    queue.apply = taking(10_000, queue.apply, "apply")
    monkeypatch.setattr(scheduling_pass, "perf_counter_ns", lambda: clock[0])
    monkeypatch.setattr(Laps, "end", end)
    scheduling_pass.amortised(policy, "crawler", 2048, 40, 30)
    assert len(laps) == 30
    for nanoseconds, calls in laps:
        assert nanoseconds == sum(cost for kind, cost in calls if kind != "apply")
        assert [kind for kind, _ in calls][-3:] == ["plan", "apply", "stepped"]
    assert {kind for _, calls in laps for kind, _ in calls} == {OPENED, CHUNK, "plan", "apply", "stepped"}
    assert not done, "the scheduler was called outside of a pass"


def test_a_crawler_prompt_grows_and_an_anns_prompt_is_replaced():
    draw = random.Random(1)
    for _ in range(100):
        prompt, kept = STREAMS["crawler"].next_prompt(draw, 1000)
        assert kept == 1000 and 1000 < prompt <= 21_000
        prompt, kept = STREAMS["anns"].next_prompt(draw, 10_000)
        assert kept == min(7000, prompt - 1) and 0 < prompt <= 100_000


def test_warm_up_is_not_counted_and_no_garbage_is_collected_meanwhile(monkeypatch):
    seen = []

    def form(policy, workload, token_budget, queued, passes):
        seen.append((passes, gc.isenabled()))
        return [float(place) for place in range(passes)]

    monkeypatch.setitem(scheduling_pass.FORMS, "amortised", form)
    assert timed("amortised", "fcfs", "crawler", 2048, 10, 20) == [float(place) for place in range(2, 22)]
    assert seen == [(22, False)] and gc.isenabled()


def test_interrupted_passes_are_left_out(monkeypatch):
    switches = iter([5, 5, 5, 6, 6, 6])
    monkeypatch.setattr(
        "headrace.timing.laps.resource.getrusage", lambda who: SimpleNamespace(ru_nivcsw=next(switches))
    )
    laps = Laps()
    for microseconds in (1, 2, 3):
        laps.begin()
        laps.end(1000 * microseconds)
    assert laps.times_us == [1.0, None, 3.0]
    monkeypatch.setitem(scheduling_pass.FORMS, "amortised", lambda *run: laps.times_us)
    assert timed("amortised", "fcfs", "crawler", 2048, 10, 1) == [3.0]
    monkeypatch.setitem(scheduling_pass.FORMS, "amortised", lambda *run: [1.0, None])
    with pytest.raises(HeadraceError, match="interrupted"):
        timed("amortised", "fcfs", "crawler", 2048, 10, 1)
