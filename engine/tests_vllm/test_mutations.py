"""The tests notice faults: each of these, planted on purpose, makes answers wrong.

A fault is one that would be easy to make; the same cases are answered right without it.
"""

from itertools import takewhile

import pytest
from cases import Case, Cases, Piece
from checks import record
from configurations import Configuration
from drive import serve
from test_correctness import answered_cases

from headrace.vllm import scheduler
from headrace.vllm.block_copies import PlainCopies
from headrace.vllm.host_pool import HostPool
from headrace.vllm.private import Hooks
from headrace.vllm.scheduler import StreamScheduler
from headrace.vllm.served import Served

CASES = 60
SWAPS = Configuration("lcas", "swap", False, 79, 512, 512, 16, 8)
SHARES = Configuration("fcfs", "recompute", True, 128, 40, 512, 16, 4)


def zeroed_swap_in(patch):
    """What comes back from the host is nothing."""
    copy = PlainCopies.copy

    def zeroing(self, moved):
        copy(self, moved)
        if moved.direction == "in":
            for layer in self.layers:
                layer[moved.gpu_blocks] = 0

    patch.setattr(PlainCopies, "copy", zeroing)


def copies_in_reverse(patch):
    """A step's copies in another order than they were asked for."""
    take = HostPool.take_copies
    patch.setattr(HostPool, "take_copies", lambda self: take(self)[::-1])


def last_block_left_behind(patch):
    """The last block of a victim, partly filled, is not swapped out."""
    swap_out = HostPool.swap_out
    patch.setattr(
        HostPool, "swap_out", lambda self, id, blocks: swap_out(self, id, blocks[: max(1, len(blocks) - 1)])
    )


def no_truncation_on_update(patch):
    """An update is taken for one that changes nothing of what is computed."""
    patch.setattr(scheduler, "common_prefix", lambda old, new: min(len(old), len(new)))


def no_held_token(patch):
    """An open stream is computed to its last token, so that one is sampled from it too early."""
    limits = scheduler.Limits
    patch.setattr(scheduler, "Limits", lambda **keys: limits(**keys | {"held_tokens": 0}))


def prompt_not_sent_again(patch):
    """The worker goes on with the prompt that it has."""
    set_prompt = Hooks.set_prompt

    def keeping_status(self, request, tokens, kept):
        status = request.status
        set_prompt(self, request, tokens, kept)
        request.status = status

    patch.setattr(Hooks, "set_prompt", keeping_status)


def poisoned_shared_block(patch):
    """The block in which an update's common prefix ends is kept and written to, though others share it."""
    change_prompt, trim = Served.change_prompt, StreamScheduler._trim

    def to_the_token(self, prompt_tokens, common_prefix_tokens, final, held_tokens, block_size):
        change_prompt(self, prompt_tokens, common_prefix_tokens, final, held_tokens)
        return self.computed

    def with_the_boundary_block(self, stream, tokens):
        trim(self, stream, -(-tokens // self.block_size) * self.block_size)
        if stream.blocks:
            stream.engine.num_computed_tokens = tokens

    patch.setattr(Served, "change_prompt", to_the_token)
    patch.setattr(StreamScheduler, "_trim", with_the_boundary_block)


def prefix_hit_after_eviction(patch):
    """Blocks that once held a prefix are taken for it, though the cache has given them to others."""
    lookup, remembered = Hooks.cached_prefix, {}

    def stale(self, request, tokens):
        hashes = request.block_hashes[: tokens // self.block_size]
        remembered.update(zip(hashes, lookup(self, request, tokens), strict=False))
        return [remembered[key] for key in takewhile(remembered.__contains__, hashes)]

    patch.setattr(Hooks, "cached_prefix", stale)


MUTATIONS = {
    zeroed_swap_in: SWAPS,
    copies_in_reverse: SWAPS,
    last_block_left_behind: SWAPS,
    no_truncation_on_update: SWAPS,
    no_held_token: SWAPS,
    prompt_not_sent_again: SWAPS,
    poisoned_shared_block: SHARES,
    prefix_hit_after_eviction: SHARES,
}


def sharing(source: Cases, prompt: tuple[int, ...], output_tokens: int) -> Case:
    """A stream whose first chunk is what others begin with, up to an update amid one of its blocks; or one of
    these others."""
    if source.draw.random() < 0.5:
        return Case("plain", prompt, (Piece("append", prompt, 0, True),), output_tokens)
    first = source.family_of(prompt)[: source.draw.randint(800, 1200)]
    pieces = Piece("append", first, 0, False), Piece("update", prompt, 6, True)
    return Case("update", prompt, pieces, output_tokens)


@pytest.fixture(scope="module")
def answered(engine):
    """By configuration: cases, and their answers."""
    return {
        SWAPS: answered_cases(engine, 77, CASES, cancelled=0.0),
        SHARES: answered_cases(engine, 78, CASES, way=sharing),
    }


@pytest.mark.parametrize("configuration", [SWAPS, SHARES], ids=str)
def test_without_a_fault_all_answers_are_right(engine, answered, configuration):
    cases, expected = answered[configuration]
    configuration.apply(engine)
    outcome = serve(engine, cases, configuration.clients)
    assert len(outcome.tokens) == CASES
    assert outcome.wrong(expected) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_fault_makes_answers_wrong(engine, answered, mutation, monkeypatch):
    """Or makes the engine stop where it checks itself: then nobody gets a wrong answer."""
    configuration = MUTATIONS[mutation]
    cases, expected = answered[configuration]
    mutation(monkeypatch)
    configuration.apply(engine)
    try:
        outcome = serve(engine, cases, configuration.clients)
    except (AssertionError, RuntimeError) as error:
        caught, how = True, f"stopped: {type(error).__name__}: {error}"[:100]
    else:
        wrong = outcome.wrong(expected)
        caught, how = bool(wrong), f"{len(wrong)} of {CASES} answers wrong"
    print(f"{mutation.__name__}: {how}", flush=True)
    record(mutations=1, mutations_caught=int(caught))
    assert caught
