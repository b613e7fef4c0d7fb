"""vLLM's pause, sleep and reset of its cache: nothing runs in a pause, and nothing old is used after it."""

import random

import pytest
from fake_worker import answer
from steps import Case, Sent, Steps
from vllm.v1.core.sched.interface import PauseState

from headrace.scheduling import Limits

AHEAD = pytest.mark.parametrize("ahead", [False, True], ids=["sync", "async"])
CACHING = pytest.mark.parametrize("caching", [False, True], ids=["", "prefixes"])
LIMITS = Limits(token_budget=16, slots=4, blocks=40, host_blocks=40, block_size=2, blocks_ahead=0)


def tokens(seed, count):
    return [random.Random(seed).randint(3, 40) for _ in range(count)]


def stream(name, *parts, output_tokens=3):
    """A stream that appends these parts."""
    prompt, chunks = [], []
    for part in parts:
        prompt = prompt + part
        chunks.append(("append", part, prompt))
    return Sent(name, chunks, output_tokens, plain=False)


def plain(name, prompt, output_tokens=3):
    return Sent(name, [("append", prompt, prompt)], output_tokens, plain=True)


class Engine(Steps):
    """Steps that a test makes itself."""

    def __init__(self, requests, ahead, caching=False, eviction="recompute", limits=LIMITS):
        super().__init__(Case("fcfs", eviction, limits, caching, requests, 0), ahead)
        self.requests = {sent.name: sent for sent in requests}

    def drain(self):
        """As long as the engine core would go on; returns the requests that a step ran."""
        ran = set()
        while self.flying or self.scheduler.has_requests():
            assert len(ran) < 1000
            if self.scheduler.has_requests() and len(self.flying) < self.depth:
                self.schedule()
                ran |= self.flying[-1][0].num_scheduled_tokens.keys()
                if len(self.flying) < self.depth:
                    continue
            self.update(self.requests)
        return ran

    def pause(self, state):
        self.scheduler.set_pause_state(state)

    def new_weights(self):
        """Nothing in memory is right any more."""
        assert self.scheduler.reset_prefix_cache(reset_running_requests=True, reset_connector=True)
        for block in (*self.worker.kv.values(), *self.worker.host.values()):
            block.clear()

    def finish(self):
        """Serve what is there; every request must get what it asked for."""
        for sent in self.requests.values():
            while not sent.closed:
                self.send(sent)
        self.drain()
        for sent in self.requests.values():
            assert sent.tokens == answer(sent.chunks[-1][2], sent.output_tokens), sent.name
        self.check_nothing_left()


@AHEAD
@CACHING
@pytest.mark.parametrize("clear", [False, True], ids=["keeps the cache", "clears the cache"])
@pytest.mark.parametrize("state", [PauseState.PAUSED_NEW, PauseState.PAUSED_ALL])
def test_an_idle_stream_sleeps_through_a_pause(state, clear, caching, ahead):
    """Whatever comes: chunks, requests, the reset at its end. A device that sleeps must not be woken."""
    idle, new = stream("idle", tokens(1, 9), tokens(2, 5), tokens(3, 1)), plain("new", tokens(4, 7))
    late = stream("late", tokens(5, 1), tokens(6, 4))
    engine = Engine([idle, new, late], ahead, caching)
    engine.send(idle)
    engine.drain()
    engine.pause(state)
    assert not engine.scheduler.has_requests()
    if clear:
        engine.new_weights()
    assert not engine.scheduler.has_requests()
    for sent in (idle, new, late, late):
        engine.send(sent)
        assert not engine.scheduler.has_requests()
    if clear:
        engine.new_weights()
    engine.schedule()  # as for the workers' sake, when a request was aborted
    assert not engine.flying[-1][0].num_scheduled_tokens
    engine.update(engine.requests)
    assert not engine.scheduler.has_requests()
    engine.pause(PauseState.UNPAUSED)
    assert engine.drain() == {"idle", "new", "late"}
    engine.finish()


@AHEAD
def test_what_came_before_a_pause_is_served_in_it(ahead):
    """PAUSED_NEW, of pause_generation(mode="wait")."""
    before, busy = plain("before", tokens(1, 30)), stream("busy", tokens(2, 20), tokens(3, 6))
    after = plain("after", tokens(4, 5))
    engine = Engine([before, busy, after], ahead)
    engine.send(before)
    engine.send(busy)
    engine.schedule()
    engine.update(engine.requests)
    engine.pause(PauseState.PAUSED_NEW)
    engine.send(after)
    assert "after" not in engine.drain()
    assert before.reason is not None and after.reason is None
    engine.pause(PauseState.UNPAUSED)
    engine.finish()


@AHEAD
@pytest.mark.parametrize("state", [PauseState.UNPAUSED, PauseState.PAUSED_ALL])
def test_after_a_reset_nothing_is_used_that_was_computed_before(state, ahead):
    """In prefill, in decode, swapped out, and with a step in flight."""
    swapped, decodes = stream("swapped", tokens(1, 30), tokens(2, 4)), plain("decodes", tokens(3, 9), 8)
    large = plain("large", tokens(5, 44), 6)
    limits = Limits(token_budget=16, slots=4, blocks=31, host_blocks=40, block_size=2, blocks_ahead=0)
    engine = Engine([swapped, decodes, large], ahead, eviction="swap", limits=limits)
    engine.send(swapped)
    engine.drain()
    engine.send(decodes)
    engine.send(large)
    while not engine.scheduler.served["swapped"].host_blocks:
        engine.schedule()
        if len(engine.flying) == engine.depth:
            engine.update(engine.requests)
    engine.pause(state)
    while engine.flying and state != PauseState.UNPAUSED:  # the engine core waits for these
        engine.update(engine.requests)
    if engine.flying:
        assert engine.scheduler.reset_prefix_cache(reset_running_requests=True, reset_connector=True)
    else:
        engine.new_weights()
    assert engine.scheduler.get_kv_connector().host_free == limits.host_blocks
    assert engine.scheduler.get_kv_cache_usage() == 0
    engine.pause(PauseState.UNPAUSED)
    engine.finish()
