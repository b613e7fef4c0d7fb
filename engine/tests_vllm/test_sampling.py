"""Parameters of sampling, for streams and for requests that others evict: as if nobody else were there."""

import pytest
from engine import sampling
from model import VOCABULARY
from vllm import SamplingParams

from headrace.vllm.chunk import Chunk

PLAN = {"policy": "fcfs", "eviction": "recompute"}


def tokens(seed, count):
    return [1 + (place * 7919 + place * place * seed) % (VOCABULARY - 1) for place in range(count)]


def parameters(**more):
    return SamplingParams(**{"temperature": 0.0, "max_tokens": 6, "ignore_eos": True} | more)


def one_step(engine, name):
    """What a step brought back for it, if anything."""
    return [output for output in engine.step() if output.request_id == name]


def alone(engine, prompt, params):
    """Outputs of a plain request on an engine of its own."""
    engine.configure(None)
    engine.add("alone", prompt, params)
    outputs = []
    while engine.scheduler.has_requests():
        outputs += one_step(engine, "alone")
    return outputs


@pytest.mark.parametrize(
    "more",
    [
        {"logprobs": 3},
        {"min_tokens": 6, "stop_token_ids": list(range(VOCABULARY // 2)), "max_tokens": 9},
        {"stop_token_ids": list(range(VOCABULARY // 2))},
        {"logit_bias": {5: 100.0}},
        {"repetition_penalty": 1.8, "presence_penalty": 1.0},
        {"bad_words": []},
    ],
    ids=lambda more: ", ".join(more),
)
@pytest.mark.parametrize("eviction", ["recompute", "swap"])
def test_a_stream_that_was_updated_and_evicted(engine, more, eviction):
    prompt, params = tokens(3, 900), parameters(**more)
    expected = alone(engine, prompt, params)
    engine.configure(PLAN | {"eviction": eviction}, blocks=40)
    params.extra_args = Chunk(stream="s").extra_args()
    engine.add("s", tokens(3, 500) + tokens(5, 400), params)
    for _ in range(4):
        engine.step()
    engine.add("other", tokens(7, 1000), sampling())
    for _ in range(4):
        engine.step()
    engine.send("s", 1, prompt, "update")
    for _ in range(4):
        engine.step()
    engine.send("s", 2, [], final=True)
    outputs = []
    while engine.scheduler.has_requests():
        outputs += one_step(engine, "s")
    assert engine.reports["s"][f"preemptions_{eviction}"] == 1
    assert [one.new_token_ids for one in outputs] == [one.new_token_ids for one in expected]
    assert outputs[-1].finish_reason == expected[-1].finish_reason
    if "logprobs" in more:
        for one, other in zip(outputs, expected, strict=True):
            assert (one.new_logprobs.logprob_token_ids == other.new_logprobs.logprob_token_ids).all()
            assert abs(one.new_logprobs.logprobs - other.new_logprobs.logprobs).max() < 1e-3


@pytest.mark.parametrize("eviction", ["recompute", "swap"])
def test_logprobs_of_the_prompt_of_a_request_that_was_evicted(engine, eviction):
    prompt, params = tokens(3, 900), parameters(prompt_logprobs=2)
    (expected, *_) = alone(engine, prompt, params)
    engine.configure(PLAN | {"eviction": eviction}, blocks=40)
    engine.open("first", tokens(7, 10))
    engine.step()
    engine.add("plain", prompt, params)
    engine.step()
    engine.send("first", 1, tokens(7, 1100), "update", final=True)
    outputs = []
    while engine.scheduler.has_requests():
        outputs += one_step(engine, "plain")
    assert engine.scheduler.counts.preemptions_recompute + engine.scheduler.counts.preemptions_swap > 0
    found, wanted = outputs[0].new_prompt_logprobs_tensors, expected.new_prompt_logprobs_tensors
    assert outputs[0].new_token_ids == expected.new_token_ids
    assert (found.logprob_token_ids == wanted.logprob_token_ids).all()
    assert abs(found.logprobs - wanted.logprobs).max() < 1e-3
    assert engine.leaked_blocks() == 0


def test_several_answers_to_one_prompt(engine):
    """n > 1: vLLM's front-end makes several requests of it."""
    prompt, params = tokens(3, 600), parameters()
    expected = [token for one in alone(engine, prompt, params) for token in one.new_token_ids]
    engine.configure(PLAN, blocks=40, prefix_cache=True)
    for number in range(3):
        engine.add(f"{number}_parent", prompt, params)
    engine.run()
    assert [engine.tokens[f"{number}_parent"] for number in range(3)] == [expected] * 3
    assert engine.leaked_blocks() == 0
