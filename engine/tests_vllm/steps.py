"""Random streams through scheduler and fake worker, chunks and aborts between any two calls."""

from collections import deque
from dataclasses import dataclass, field

from fake_worker import END, WORDS, FakeWorker, answer
from vllm import SamplingParams
from vllm.utils.hashing import sha256
from vllm.v1.core.kv_cache_utils import get_request_block_hasher, init_none_hash
from vllm.v1.request import Request, RequestStatus

from headrace.scheduling import Limits
from headrace.vllm.chunk import KEY, Chunk
from headrace.vllm.scheduler import AsyncStreamScheduler, StreamScheduler
from headrace.vllm.workerless import workerless

POLICIES = "default_vllm", "fcfs", "lcas", "mcps"
EVICTIONS = "cost_published", "cost_victim", "recompute", "swap"
ENOUGH = 5000  # steps after which a case counts as stuck


@dataclass
class Sent:
    """One request: its chunks [(mode, tokens, prompt after it)], which are still to come, what came back."""

    name: str
    chunks: list
    output_tokens: int
    plain: bool
    next: int = 0
    tokens: list = field(default_factory=list)
    reason: object = None
    aborted: bool = False

    @property
    def live(self):
        return self.next > 0 and self.reason is None and not self.aborted

    @property
    def closed(self):
        return self.next == len(self.chunks)


@dataclass
class Case:
    """All that a run needs."""

    policy: str
    eviction: str
    limits: Limits
    prefix_caching: bool
    requests: list
    aborts: float  # how likely between two steps
    resets: float = 0  # so too: the prefix cache is reset, with all that runs


def random_case(random, policy, eviction, prefix_caching):
    """Small and tight; prompts share beginnings, so that a prefix cache has something to find."""
    block_size = random.choice((1, 2, 4))
    longest = random.randint(2, 9) * block_size + random.randint(0, block_size)
    texts = [[random.randint(3, WORDS) for _ in range(longest)] for _ in range(2)]
    most_outputs = random.choice((1, 3, 8))
    requests = [
        random_request(random, str(number), longest, texts, random.randint(1, most_outputs))
        for number in range(random.randint(2, 9))
    ]
    enough = -(-(longest + most_outputs) // block_size)
    limits = Limits(
        token_budget=random.choice((random.randint(1, longest), longest, 3 * longest)),
        slots=random.randint(1, len(requests)),
        blocks=enough + random.choice((0, 0, 1, enough // 2, enough, 3 * enough)),
        host_blocks=random.choice((0, enough // 2, enough, 3 * enough)),
        block_size=block_size,
        blocks_ahead=0,
    )
    aborts = random.choice((0, 0, 0.03, 0.1))
    resets = random.choice((0, 0, 0, 0.1))
    return Case(policy, eviction, limits, prefix_caching, requests, aborts, resets)


def random_request(random, name, longest, texts, output_tokens):
    """A plain request, or a stream that appends, updates or does both; any chunk may change nothing."""
    mode = random.choice(("plain", "append", "update", "mixed"))
    count = 1 if mode == "plain" else random.randint(1, 6)
    prompt, chunks = [], []
    for number in range(count):
        update = number > 0 and (mode == "update" or (mode == "mixed" and random.random() < 0.5))
        kept = random.choice((0, len(prompt), random.randint(0, len(prompt)))) if update else len(prompt)
        most = max(1, kept, longest * (number + 1) // count)
        length = random.randint(max(1, kept), most)
        changed = prompt[:kept] + random.choice(texts)[kept:length]
        if update:
            chunks.append(("update", changed, changed))
        elif len(changed) > len(prompt) or number == count - 1:
            chunks.append(("append", changed[len(prompt) :], changed))
        prompt = changed
    return Sent(name, chunks, output_tokens, mode == "plain")


class Steps:
    """An engine core around scheduler and worker; `ahead` schedules a step before the output of the last."""

    def __init__(self, case, ahead):
        self.case, self.now_s, self.resets = case, 0.0, 0
        options = {"policy": case.policy, "eviction": case.eviction, "stream_timeout_s": 1e9}
        options["costs"] = {"recompute_s": [0.0, 1.0, 0.1], "swap_s": [2.0, 1.0]}
        self.scheduler = workerless(
            AsyncStreamScheduler if ahead else StreamScheduler,
            case.limits,
            {KEY: options},
            prefix_caching=case.prefix_caching,
            async_scheduling=ahead,
        )
        self.scheduler.clock = self.clock
        self.worker = FakeWorker(case.limits.block_size, ahead, case.limits.slots)
        self.depth = 2 if ahead else 1
        self.flying = deque()
        self.hasher = None
        if case.prefix_caching:
            init_none_hash(sha256)
            self.hasher = get_request_block_hasher(case.limits.block_size, sha256)

    def clock(self):
        self.now_s += 1.0
        return self.now_s

    def send(self, sent):
        """The next chunk."""
        mode, tokens, _ = sent.chunks[sent.next]
        index, sent.next = sent.next, sent.next + 1
        extra = None
        if not sent.plain:
            chunk = Chunk(stream=sent.name, index=index, mode=mode, final=sent.closed, empty=not tokens)
            extra = chunk.extra_args()
        sampling = SamplingParams(
            max_tokens=sent.output_tokens, stop_token_ids=[END], extra_args=extra, ignore_eos=True
        )
        name = f"{sent.name}#{index}" if index else sent.name
        self.scheduler.add_request(
            Request(name, tokens or [0], sampling, None, arrival_time=self.clock(), block_hasher=self.hasher)
        )

    def abort(self, sent):
        sent.aborted = True
        self.scheduler.finish_requests(sent.name, RequestStatus.FINISHED_ABORTED)

    def schedule(self):
        output = self.scheduler.schedule()
        self.flying.append((output, self.worker.execute(output)))
        return output.total_num_scheduled_tokens > 0

    def update(self, requests):
        for answers in self.scheduler.update_from_output(*self.flying.popleft()).values():
            for one in answers.outputs:
                sent = requests[one.request_id]
                assert sent.reason is None, f"{sent.name} was answered after its end"
                sent.tokens += one.new_token_ids
                sent.reason = one.finish_reason
                if one.finish_reason is not None and not sent.plain:
                    sent.report = one.kv_transfer_params[KEY]

    def run(self, random):
        """Serve the case; asserts that every request gets what it must and nothing is left over."""
        requests = {sent.name: sent for sent in self.case.requests}
        pace = random.choice((0.2, 0.6, 0.95))
        for _ in range(ENOUGH):
            sending = [s for s in requests.values() if not (s.closed or s.aborted)]
            between = self.depth == 2 or not self.flying  # an engine core takes chunks between its steps
            if sending and between and random.random() < pace:
                self.send(random.choice(sending))
            live = [s for s in requests.values() if s.live]
            if live and random.random() < self.case.aborts:
                self.abort(random.choice(live))
            if between and random.random() < self.case.resets:
                assert self.scheduler.reset_prefix_cache(reset_running_requests=True, reset_connector=True)
                self.resets += 1
            # As vLLM's engine core: the queue is filled first, and an empty step is taken back at once.
            more = len(self.flying) < self.depth and self.scheduler.has_requests() and self.schedule()
            if more and len(self.flying) < self.depth:
                continue
            if self.flying and random.random() < 0.9:
                self.update(requests)
            elif not self.flying and not sending and not self.scheduler.has_requests():
                break
        else:
            raise AssertionError("stuck")
        for sent in requests.values():
            wanted = answer(sent.chunks[-1][2], sent.output_tokens)
            if sent.aborted:
                assert sent.tokens == wanted[: len(sent.tokens)], f"{sent.name} got {sent.tokens} of {wanted}"
            else:
                assert (sent.tokens, sent.reason is not None) == (wanted, True), (
                    f"{sent.name}: {sent}, {wanted}"
                )
        self.check_nothing_left()

    def check_nothing_left(self):
        scheduler = self.scheduler
        assert scheduler.get_kv_cache_usage() == 0
        assert scheduler.reset_prefix_cache()
        connector = scheduler.get_kv_connector()
        assert connector is None or connector.host_free == connector.host_blocks
        assert scheduler.ledger.host_free == scheduler.ledger.host_blocks
        for name in ("requests", "served", "streams", "unready", "idle", "leaving", "gone", "answers"):
            assert not getattr(scheduler, name), name
