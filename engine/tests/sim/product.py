"""Headrace's simulator behind the call of the reference simulator, with the same Outcome."""

from types import SimpleNamespace

from reference import Outcome, Step

from headrace.request import Request
from headrace.scheduling import Limits, scheduler
from headrace.sim import HandOver, Simulator


def simulate(
    hand_overs, output_tokens, limits, policy, eviction, step_seconds, swap_seconds, recompute_cost, swap_cost
):
    """As `reference.simulate`, with headrace's own requests; LivelockError takes the place of Stuck."""
    limits = Limits(**vars(limits))
    costs = SimpleNamespace(recompute_s=recompute_cost, swap_s=swap_cost)
    copies, trace = [], []

    def swap_time(blocks):
        copies.append(blocks)
        return swap_seconds(blocks)

    def step_time(runs):
        return step_seconds([(tokens, request.computed) for request, tokens, _ in runs])

    def observe(now_s, seconds, plan):
        copied_in = copies[len(copies) - len(plan.loads) :]
        copies.clear()
        grants = {request.id: blocks for request, blocks in plan.loads}
        for request, _, blocks in plan.runs:
            grants[request.id] = grants.get(request.id, 0) + blocks
        trace.append(
            Step(
                now_s - seconds,
                seconds,
                [(victim.id, how, asking.id, tokens) for victim, how, asking, tokens in plan.evictions],
                [(request.id, blocks) for (request, _), blocks in zip(plan.loads, copied_in, strict=True)],
                [(request.id, tokens) for request, tokens, _ in plan.runs],
                grants,
            )
        )

    requests = [Request(id, wanted) for id, wanted in enumerate(output_tokens)]
    simulator = Simulator(scheduler(policy, eviction, costs, limits), step_time, swap_time, limits, observe)
    ordered = sorted(hand_overs, key=lambda hand_over: (hand_over[0], hand_over[1]))
    result = simulator.run([HandOver(*hand_over) for hand_over in ordered], requests)
    refused = [request.id for request in result.refused]
    return Outcome(requests, refused, result.steps, result.busy_s, result.end_s, trace)
