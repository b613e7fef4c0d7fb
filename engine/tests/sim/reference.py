"""The engine's contract once more, slowly and in the plainest way: the yardstick of the product's simulator.

It shares no line with the package and keeps nothing between two steps that can be counted afresh.
Units: tokens, blocks, seconds.
"""

from dataclasses import dataclass, field


@dataclass(eq=False)
class State:
    """All that is known of one request."""

    id: int
    output_tokens: int
    prompt: int = 0
    ready: int = 0  # of the prompt, what may be computed: all but the tokens that are held back
    computed: int = 0
    closed: bool = False
    blocks: int = 0
    host_blocks: int = 0
    sampled: int = 0
    opened_s: float | None = None
    handed_over_s: float | None = None
    last_chunk_s: float | None = None
    first_token_s: float | None = None
    finished_s: float | None = None
    invalidated_tokens: int = 0
    computed_tokens: int = 0
    preemptions_recompute: int = 0
    preemptions_swap: int = 0
    refused: bool = False

    def left(self):
        return self.ready - self.computed

    def alive(self):
        return self.opened_s is not None and not self.refused and self.finished_s is None


@dataclass
class Step:
    """What one step did: ids and sizes only, so that the steps of two engines compare with ==."""

    now_s: float = 0.0
    seconds: float = 0.0
    evictions: list = field(default_factory=list)  # (victim, how, asking request, its new tokens)
    loads: list = field(default_factory=list)  # (request, blocks copied in)
    runs: list = field(default_factory=list)  # (request, new tokens)
    grants: dict = field(default_factory=dict)  # request: new blocks; a waiting one is admitted with them

    def __str__(self):
        did = [f"evict {v} {how} for {asking}+{n}" for v, how, asking, n in self.evictions]
        did += [f"load {r}:{blocks}" for r, blocks in self.loads]
        did += [f"run {r}+{n}" for r, n in self.runs]
        return f"{self.now_s:g}: " + ", ".join(did)


@dataclass
class Outcome:
    """What a run came to; `refused` are ids, `steps` those in which something ran."""

    requests: list
    refused: list
    steps: int
    busy_s: float
    end_s: float
    trace: list


class Stuck(Exception):
    """Requests are left and nothing will ever move them."""


def simulate(
    hand_overs,
    output_tokens,
    limits,
    policy,
    eviction,
    step_seconds,
    swap_seconds,
    recompute_cost,
    swap_cost,
    most_steps=100_000,
):
    """Replay `hand_overs`: [(time_s, request, prompt_tokens, common_prefix_tokens, final)].

    `output_tokens[r]` belongs to request r; `step_seconds` takes [(new_tokens, context_tokens)],
    `swap_seconds` a number of blocks, the two costs a number of tokens.
    Raises Stuck when a request can never finish.
    """
    engine = Engine(output_tokens, limits, policy, eviction, recompute_cost, swap_cost)
    coming = sorted(hand_overs, key=lambda hand_over: (hand_over[0], hand_over[1]))
    now, busy, steps, trace = 0.0, 0.0, 0, []
    while True:
        while coming and coming[0][0] <= now:
            engine.take(now, *coming.pop(0))
        step = engine.plan()
        step.now_s = now
        if step.evictions or step.grants:
            contexts = [(n, engine.requests[r].computed) for r, n in step.runs]
            moved = engine.apply(step)
            step.seconds = sum(swap_seconds(blocks) for blocks in moved)
            if step.runs:
                step.seconds += step_seconds(contexts)
                steps += 1
            now += step.seconds
            busy += step.seconds
            engine.finish(step, now)
            trace.append(step)
            if len(trace) > most_steps:
                raise Stuck("it goes on for ever")
        elif coming:
            now = coming[0][0]
        elif any(request.alive() for request in engine.requests):
            raise Stuck("nothing more will be handed over, and requests are left")
        else:
            return Outcome(engine.requests, engine.refused, steps, busy, now, trace)


class Engine:
    """The requests and where they are; everything else is worked out when it is asked for."""

    def __init__(self, output_tokens, limits, policy, eviction, recompute_cost, swap_cost):
        self.requests = [State(id, wanted) for id, wanted in enumerate(output_tokens)]
        self.limits, self.policy, self.eviction = limits, policy, eviction
        self.recompute_cost, self.swap_cost = recompute_cost, swap_cost
        self.residents = []  # in order of admission
        self.waiting = []  # from head to tail
        self.refused = []  # ids

    def blocks_for(self, tokens):
        return -(-tokens // self.limits.block_size)

    def free_blocks(self):
        return self.limits.blocks - sum(request.blocks for request in self.requests)

    def free_host_blocks(self):
        return self.limits.host_blocks - sum(request.host_blocks for request in self.requests)

    def take(self, now, time_s, id, prompt, common, final):
        request = self.requests[id]
        if request.refused:
            return
        if request.opened_s is None:
            request.opened_s = time_s
            self.waiting.append(request)
        request.handed_over_s = time_s
        request.last_chunk_s = now
        self.cut(request, prompt, common, final)
        request.prompt = prompt
        request.closed = final
        request.ready = prompt if final else prompt - self.limits.held_tokens
        most = prompt + request.output_tokens - 1
        if self.blocks_for(most) + self.limits.blocks_ahead > self.limits.blocks:
            request.refused = True
            self.refused.append(id)
            self.leave(request)

    def cut(self, request, prompt, common, final):
        """Take back what was computed of tokens that change, and of the one that a token is sampled from."""
        changed = request.computed - common
        if changed > 0:
            request.invalidated_tokens += changed
            self.keep_blocks(request, self.blocks_for(common))
        goes_on_at_end = final or self.limits.held_tokens == 1
        valid = min(common, prompt - 1) if goes_on_at_end else common
        if request.computed <= valid:
            return
        request.computed = valid
        if self.limits.whole_blocks:
            whole = valid // self.limits.block_size
            request.computed = whole * self.limits.block_size
            self.keep_blocks(request, whole)

    def keep_blocks(self, request, blocks):
        request.blocks = min(request.blocks, blocks)
        request.host_blocks = min(request.host_blocks, blocks)

    def leave(self, request):
        request.blocks = request.host_blocks = 0
        for group in (self.residents, self.waiting):
            if request in group:
                group.remove(request)

    def plan(self):
        return self.plan_default() if self.policy == "default_vllm" else self.plan_two_phases()

    def priority(self, request):
        if self.policy == "fcfs":
            return (not request.closed, request.opened_s, request.id)
        if self.policy == "lcas":
            return (not request.closed, request.last_chunk_s, request.handed_over_s, request.id)
        if self.policy == "mcps":
            return (-request.computed, request.opened_s, request.id)
        raise ValueError(self.policy)

    def plan_two_phases(self):
        order = sorted((r for r in self.requests if r.alive() and r.left() > 0), key=self.priority)
        selected = []
        budget, pool = self.limits.token_budget, self.limits.blocks
        for request in order:
            if budget == 0:
                break
            n = min(request.left(), budget)
            need = self.blocks_for(request.computed + n) + self.limits.blocks_ahead
            if need > pool:
                continue
            seated = [other for other, _ in selected]
            if not self.limits.evict_for_slots:
                if request in self.residents:
                    seated = []  # it has a slot, whoever else has one
                else:
                    seated = [other for other in seated if other not in self.residents] + self.residents
            if len(seated) == self.limits.slots:
                continue
            selected.append((request, n))
            pool -= need
            budget -= n

        chosen = [request for request, _ in selected]
        idle = [r for r in reversed(self.residents) if r.left() == 0]
        passed_over = [r for r in reversed(order) if r in self.residents and r not in chosen]
        victims = idle + passed_over

        step = Step()
        free, free_host = self.free_blocks(), self.free_host_blocks()
        staying = [pair for pair in selected if pair[0] in self.residents]
        entering = [pair for pair in selected if pair[0] not in self.residents]
        seated = {request.id for request in self.residents}
        for request, n in staying + entering:
            grow = max(0, self.blocks_for(request.computed + n) - request.blocks)
            seated.add(request.id)
            while grow > free or len(seated) > self.limits.slots:
                victim = victims.pop(0)
                seated.remove(victim.id)
                free += victim.blocks
                free_host -= self.evict(step, victim, request, n, free_host)
            taken = min(grow + self.limits.blocks_ahead, free) if grow > 0 else 0
            free -= taken
            if request.host_blocks > 0:
                step.loads.append((request.id, request.host_blocks))
            step.grants[request.id] = taken
            step.runs.append((request.id, n))
        return step

    def plan_default(self):
        step = Step()
        free, free_host = self.free_blocks(), self.free_host_blocks()
        budget = self.limits.token_budget
        selected = []
        for request in self.residents:
            if budget == 0:
                break
            n = min(request.left(), budget)
            if n > 0:
                selected.append((request, n))
                budget -= n

        running = list(self.residents)
        for request, n in selected:
            if request not in running:
                continue
            grow = max(0, self.blocks_for(request.computed + n) - request.blocks)
            while grow > free and request in running:
                victim = running.pop()
                free += victim.blocks
                free_host -= self.evict(step, victim, request, n, free_host)
            if request not in running:
                break
            taken = min(grow + self.limits.blocks_ahead, free) if grow > 0 else 0
            free -= taken
            step.grants[request.id] = taken
            step.runs.append((request.id, n))
        if step.evictions:
            return step

        seats = self.limits.slots - len(self.residents)
        for request in self.waiting:
            if budget == 0 or seats == 0:
                break
            n = min(request.left(), budget)
            if n == 0 and request.host_blocks == 0:
                continue  # all of its tokens are held back
            grow = self.blocks_for(request.computed + n)
            if grow > free:
                break
            taken = min(grow + self.limits.blocks_ahead, free) if grow > 0 else 0
            free -= taken
            seats -= 1
            budget -= n
            step.grants[request.id] = taken
            if request.host_blocks > 0:
                step.loads.append((request.id, request.host_blocks))
            if n > 0:
                step.runs.append((request.id, n))
        return step

    def evict(self, step, victim, asking, n, free_host):
        """Note the eviction in `step`; returns the host blocks that it takes."""
        copy = self.blocks_for(victim.computed)
        tokens = {"cost_published": n, "cost_victim": victim.computed}.get(self.eviction)
        if tokens is None:
            how = self.eviction
        else:
            how = "recompute" if self.recompute_cost(tokens) < self.swap_cost(tokens) else "swap"
        if victim.computed == 0 or copy > free_host:
            how = "recompute"
        step.evictions.append((victim.id, how, asking.id, n))
        return copy if how == "swap" else 0

    def apply(self, step):
        """Evictions, loads, new blocks; returns the sizes of all copies between GPU and host, in blocks."""
        copies = []
        for id, how, _, _ in step.evictions:
            victim = self.requests[id]
            victim.blocks = 0
            self.residents.remove(victim)
            self.waiting.insert(0, victim)
            if how == "swap":
                victim.host_blocks = self.blocks_for(victim.computed)
                victim.preemptions_swap += 1
                copies.append(victim.host_blocks)
            else:
                victim.computed = 0
                victim.preemptions_recompute += 1
        if self.free_host_blocks() < 0:
            raise ValueError("more blocks on the host than it has")
        for id, blocks in step.loads:
            copies.append(blocks)
            self.requests[id].host_blocks = 0
        for id, blocks in step.grants.items():
            request = self.requests[id]
            if request in self.waiting:
                self.waiting.remove(request)
                self.residents.append(request)
            request.blocks += blocks
        if self.free_blocks() < 0:
            raise ValueError("more blocks on the GPU than it has")
        return copies

    def finish(self, step, now):
        """Count the step's tokens, sample where a prompt is complete, let go who is done."""
        for id, n in step.runs:
            request = self.requests[id]
            request.computed += n
            request.computed_tokens += n
            if not request.closed or request.left() > 0:
                continue
            request.sampled += 1
            if request.first_token_s is None:
                request.first_token_s = now
            if request.sampled == request.output_tokens:
                request.finished_s = now
                self.leave(request)
            else:
                request.prompt += 1
                request.ready += 1
