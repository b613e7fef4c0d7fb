"""A worker without a model that knows, of every slot of KV memory, which prefix of tokens is in it."""

from dataclasses import dataclass, field

from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.outputs import ModelRunnerOutput

END = 2  # the id that ends a generation
WORDS = 40  # sampled ids are END + 1 .. END + WORDS, or END


def identity(tokens):
    """One number for every prefix of `tokens`, the empty one first: [len(tokens) + 1]."""
    found = [0]
    for token in tokens:
        found.append(hash((found[-1], token)))
    return found


def sampled(prefix):
    """The token that the fake model samples after a prefix, given its identity: any change of it shows."""
    number = hash((prefix, -1)) % (WORDS + 2)
    return END if number < 2 else END + number - 1


def answer(prompt, output_tokens):
    """What a request must bring back: tokens up to `output_tokens`, or to END."""
    tokens, found = list(prompt), []
    while len(found) < output_tokens and (not found or found[-1] != END):
        found.append(sampled(identity(tokens)[-1]))
        tokens.append(found[-1])
    return found


@dataclass
class State:
    """What a worker keeps of a request."""

    prompt: list
    blocks: list
    outputs: list = field(default_factory=list)


class FakeWorker:
    """Executes SchedulerOutputs as vLLM's V1 model runner does, and checks the memory that they make it read.

    kv: by GPU block, the identity of the prefix that ends in each slot; host: the same, by host slot. In
    every step, the block table of each request must hold exactly the KV of its tokens so far, those of the
    step included; no slot may be written twice, or for two prefixes.
    """

    def __init__(self, block_size, runs_ahead=False, most=None):
        self.block_size, self.runs_ahead, self.most = block_size, runs_ahead, most
        self.rows = set()  # as vLLM's V2 runner, whose requests have theirs until they end or are preempted
        self.kv, self.host, self.requests = {}, {}, {}
        self.previous = set()  # whose sampled token is still on the GPU

    def execute(self, output: SchedulerOutput) -> ModelRunnerOutput:
        """One step: copies, new states, writes, reads, samples."""
        for name in output.finished_req_ids:
            self.requests.pop(name, None)
        self.rows -= output.finished_req_ids | output.preempted_req_ids
        self.rows |= output.num_scheduled_tokens.keys()
        if self.most is not None:
            assert len(self.rows) <= self.most, f"{self.rows} in {self.most} rows"
        if output.kv_connector_metadata is not None:
            self.copy(output.kv_connector_metadata.copies)
        contexts = self.update(output)
        tokens = {name: self.requests[name].prompt + self.requests[name].outputs for name in contexts}
        identities = {name: identity(found) for name, found in tokens.items()}
        written = {}
        for name, new in output.num_scheduled_tokens.items():
            end = contexts[name] + new
            assert end <= len(tokens[name]), f"{name} runs to {end} of {len(tokens[name])} tokens"
            for position in range(contexts[name], end):
                slot = self.slot(name, position)
                assert slot not in written, f"{name} writes {slot}, as {written[slot]} does"
                written[slot] = name
                self.kv.setdefault(slot[0], {})[slot[1]] = identities[name][position + 1]
        found = []
        for name, new in output.num_scheduled_tokens.items():
            end = contexts[name] + new
            self.check(name, end, identities[name])
            found.append([])
            if end == len(tokens[name]):
                found[-1].append(sampled(identities[name][end]))
                self.requests[name].outputs.append(found[-1][0])
        self.previous = set(output.num_scheduled_tokens)
        order = {name: place for place, name in enumerate(output.num_scheduled_tokens)}
        return ModelRunnerOutput(list(order), order, found)

    def copy(self, copies):
        """Swaps, in their order. A block moves whole, with what is stale in it."""
        for copy in copies:
            for block, slot in zip(copy.gpu_blocks, copy.host_slots, strict=True):
                if copy.direction == "out":
                    self.host[slot] = dict(self.kv.get(block, {}))
                else:
                    self.kv[block] = dict(self.host[slot])

    def update(self, output):
        """Take over what the scheduler says of its requests; returns their contexts."""
        contexts = {}
        for new in output.scheduled_new_reqs:
            self.requests[new.req_id] = State(list(new.prompt_token_ids), list(new.block_ids[0]))
            contexts[new.req_id] = new.num_computed_tokens
        cached = output.scheduled_cached_reqs
        rows = zip(
            cached.req_ids,
            cached.new_block_ids,
            cached.num_computed_tokens,
            cached.num_output_tokens,
            strict=True,
        )
        for name, blocks, computed, outputs in rows:
            state = self.requests[name]
            contexts[name] = computed
            if name in cached.resumed_req_ids:
                assert blocks is not None
                state.blocks = list(blocks[0])
            elif blocks is not None:
                state.blocks += blocks[0]
            del state.outputs[outputs:]
            if name not in self.previous and self.runs_ahead and outputs:
                state.outputs = cached.all_token_ids[name][-outputs:]
        return contexts

    def slot(self, name, position):
        """(GPU block, offset) of a token."""
        blocks, place = self.requests[name].blocks, position // self.block_size
        assert place < len(blocks), f"{name} has {len(blocks)} blocks, token {position} has none"
        assert blocks[place] != 0, f"{name} holds the null block"
        return blocks[place], position % self.block_size

    def check(self, name, end, identities):
        """The request reads what its tokens are."""
        for position in range(end):
            block, offset = self.slot(name, position)
            found = self.kv.get(block, {}).get(offset)
            assert found == identities[position + 1], (
                f"{name}: block {block} is wrong at token {position} of {end}"
            )
