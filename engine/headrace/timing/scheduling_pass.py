"""One scheduling pass with q requests queued: what it costs to order them and to plan a step.

Three forms, timed in the same process on the same queues:
- amortised: the scheduler keeps its order; a pass files new requests and chunks, plans, and re-files;
- from_scratch: all q requests are sorted by the policy's key, then planned;
- published_shape: as the artifact does it (`published_pass`).
The second is of two-phase policies, the third of those that were published: default_vllm sorts nothing.
"""

from collections.abc import Iterator
from statistics import median
from time import perf_counter_ns

from headrace.errors import HeadraceError
from headrace.scheduling import Limits, Policy, load
from headrace.sim.collector import collector_paused
from headrace.timing.laps import Laps
from headrace.timing.published_pass import TIERS, published_pass
from headrace.timing.steady_queue import STREAMS, SteadyQueue

Times = list[float | None]
BLOCKS = 97_000
"""KV blocks: more than ever run short here."""


def amortised(policy: str, workload: str, token_budget: int, queued: int, passes: int) -> Times:
    """Microseconds of each pass; what the executor does between planning and re-filing is not timed."""
    queue = _queue(policy, workload, token_budget, queued)
    planner, laps = queue.scheduler, Laps()
    for _ in range(passes):
        arrivals = queue.arrivals()
        laps.begin()
        start = perf_counter_ns()
        for request, kind in arrivals:
            planner.event(request, kind, queue.now_s)
        plan = planner.plan(queue.now_s, queue.ledger)
        planned = perf_counter_ns()
        queue.apply(plan)
        applied = perf_counter_ns()
        planner.stepped(plan, 0.1, queue.now_s)
        laps.end(planned - start + perf_counter_ns() - applied)
    return laps.times_us


def from_scratch(policy: str, workload: str, token_budget: int, queued: int, passes: int) -> Times:
    """Microseconds to sort all queued requests and plan; two-phase policies only."""
    laps, key = Laps(), load(policy).key
    for queue in states(policy, workload, token_budget, queued, passes):
        laps.begin()
        start = perf_counter_ns()
        queue.scheduler.order.requests = sorted(queue.live, key=key)
        queue.scheduler.plan(queue.now_s, queue.ledger)
        laps.end(perf_counter_ns() - start)
    return laps.times_us


def published_shape(policy: str, workload: str, token_budget: int, queued: int, passes: int) -> Times:
    """Microseconds of a pass that does the published work in the published way; policies of `TIERS` only."""
    laps, key, tiers = Laps(), load(policy).key, TIERS[policy]
    for queue in states(policy, workload, token_budget, queued, passes):
        by_id = {request.id: request for request in queue.live}
        running = list(queue.scheduler.resident)
        waiting = [request for request in queue.live if request not in queue.scheduler.resident]
        laps.begin()
        start = perf_counter_ns()
        published_pass(by_id, waiting, running, key, tiers, queue.limits)
        laps.end(perf_counter_ns() - start)
    return laps.times_us


FORMS = {form.__name__: form for form in (amortised, from_scratch, published_shape)}


def forms_of(policy: str) -> list[str]:
    """Names of the forms that a policy has. Raises HeadraceError for an unknown policy."""
    forms = ["amortised"]
    if issubclass(load(policy), Policy):
        forms.append("from_scratch")
    if policy in TIERS:
        forms.append("published_shape")
    return forms


def timed(form: str, policy: str, workload: str, token_budget: int, queued: int, passes: int) -> list[float]:
    """Microseconds of `passes` passes in one form, after a tenth as many that are not counted.

    No garbage is collected meanwhile: that would be laid at the door of whichever pass it falls into. So
    would be the time of others: passes in which the CPU was taken away are left out. Raises HeadraceError if
    that happened in all of them.
    """
    warm_up = -(-passes // 10)
    with collector_paused():
        times = FORMS[form](policy, workload, token_budget, queued, passes + warm_up)[warm_up:]
    undisturbed = [microseconds for microseconds in times if microseconds is not None]
    if not undisturbed:
        raise HeadraceError(
            f"timing of {policy}",
            f"every one of {passes} passes was interrupted",
            "time it on a calmer machine",
        )
    return undisturbed


def medians(policy: str, queued: int, passes: int = 1000) -> dict[str, float]:
    """Median microseconds of a pass in each form that the policy has: crawler, 8,192 tokens per step."""
    return {form: median(timed(form, policy, "crawler", 8192, queued, passes)) for form in forms_of(policy)}


def states(policy: str, workload: str, token_budget: int, queued: int, passes: int) -> Iterator[SteadyQueue]:
    """A queue as it is before each pass; what is done to the order meanwhile is undone."""
    queue = _queue(policy, workload, token_budget, queued)
    order = queue.scheduler.order
    for _ in range(passes):
        for request, kind in queue.arrivals():
            queue.scheduler.event(request, kind, queue.now_s)
        kept = order.requests
        yield queue
        order.requests = kept
        plan = queue.scheduler.plan(queue.now_s, queue.ledger)
        queue.apply(plan)
        queue.scheduler.stepped(plan, 0.1, queue.now_s)


def _queue(policy: str, workload: str, token_budget: int, queued: int) -> SteadyQueue:
    limits = Limits(token_budget=token_budget, slots=2 * queued, blocks=BLOCKS, host_blocks=0)
    return SteadyQueue(policy, STREAMS[workload], limits, queued, seed=0)
