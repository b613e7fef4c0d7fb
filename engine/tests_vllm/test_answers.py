"""What the last output of a request tells its client, and what is counted of it."""

import pytest
from model import VOCABULARY
from vllm import SamplingParams
from vllm.sampling_params import StructuredOutputsParams
from vllm.v1.engine import FinishReason
from vllm.v1.outputs import ModelRunnerOutput
from vllm.v1.request import Request, RequestStatus

from headrace.errors import HeadraceError
from headrace.scheduling import Limits
from headrace.vllm.chunk import KEY, Chunk
from headrace.vllm.private import check_scheduler
from headrace.vllm.scheduler import StreamScheduler
from headrace.vllm.workerless import workerless

LIMITS = Limits(token_budget=64, slots=4, blocks=8, host_blocks=0, block_size=16)


class Engine:
    """A scheduler whose workers sample 7."""

    def __init__(self, **options):
        self.scheduler = workerless(StreamScheduler, LIMITS, {KEY: options}, max_model_len=100)
        self.now_s = 0.0
        self.scheduler.clock = lambda: self.now_s

    @property
    def counts(self):
        return self.scheduler.counts

    def send(self, stream, index=0, tokens=(5, 6), final=False, **sampling):
        chunk = Chunk(stream=stream, index=index, final=final)
        params = SamplingParams(extra_args=chunk.extra_args(), **sampling)
        name = f"{stream}#{index}" if index else stream
        request = Request(name, list(tokens), params, None, arrival_time=self.now_s)
        self.scheduler.add_request(request)
        return request

    def step(self):
        """Outputs by the request's id."""
        output = self.scheduler.schedule()
        names = list(output.num_scheduled_tokens)
        live = self.scheduler.requests
        sampled = [[] if live[name].num_computed_tokens < live[name].num_tokens else [7] for name in names]
        done = ModelRunnerOutput(names, {name: place for place, name in enumerate(names)}, sampled)
        answers = self.scheduler.update_from_output(output, done)
        return {one.request_id: one for of_client in answers.values() for one in of_client.outputs}


def error(answer):
    """(status, line)"""
    report = answer.kv_transfer_params[KEY]
    assert answer.finish_reason == FinishReason.ERROR
    return report["status"], report["error"]


def test_the_status_says_of_which_kind_an_error_is():
    engine = Engine(max_streams=1, stream_timeout_s=60.0)
    engine.send("a")
    engine.send("b")
    status, line = error(engine.step()["b"])
    assert status == 429 and "1 streams are open" in line
    engine.now_s = 61.0
    status, line = error(engine.step()["a"])
    assert status == 408 and "no chunk for 60 s" in line
    engine.send("c", tokens=[VOCABULARY**2])
    assert error(engine.step()["c"])[0] == 400
    engine.send("d")
    engine.send("d", index=2)
    assert error(engine.step()["d"])[0] == 400
    engine.send("e", final=True, max_tokens=1)
    report = engine.step()["e"].kv_transfer_params[KEY]
    assert (report["status"], report["error"]) == (200, None)
    counts = engine.counts
    assert (counts.streams_opened, counts.streams_failed, counts.streams_timed_out) == (3, 1, 1)


def test_streams_whose_time_is_out_do_not_count_as_open():
    """Not even in an engine that slept all the time."""
    engine = Engine(max_streams=1, stream_timeout_s=60.0)
    engine.send("a")
    while engine.scheduler.has_requests():
        engine.step()
    engine.now_s = 61.0
    engine.send("b", final=True, max_tokens=1)
    answers = engine.step()
    assert error(answers["a"])[0] == 408 and answers["b"].new_token_ids == [7]


def test_a_seed_on_the_cpu():
    engine = Engine()
    engine.send("a", seed=1, temperature=1.0)
    engine.send("b", seed=1, temperature=0.0)
    assert "a seed, on vLLM's CPU build" in error(engine.step()["a"])[1]
    assert list(engine.scheduler.requests) == ["b"]


def test_a_grammar_that_is_none_ends_its_stream_with_the_reason():
    engine = Engine()
    request = engine.send("a", structured_outputs=StructuredOutputsParams(regex="("))
    assert engine.step() == {}  # it is being compiled
    engine.send("a", 1, final=True)
    request.structured_output_request.grammar = ValueError("no closing bracket")
    status, line = error(engine.step()["a"])
    assert status == 400 and "no closing bracket" in line
    assert engine.counts.streams_failed == 1 and not engine.scheduler.requests


@pytest.mark.parametrize("stop", [["\n"], None])
def test_an_answer_that_a_stop_string_may_end_reports_with_every_token(stop):
    """vLLM's front-end finds the string, takes that output for the last one, and aborts the request."""
    engine = Engine()
    request = engine.send("a", final=True, max_tokens=5, stop=stop, detokenize=True)
    for number in (1, 2):
        report = (engine.step()["a"].kv_transfer_params or {}).get(KEY)
        assert (report and report["output_tokens"]) == (number if stop else None)
    engine.scheduler.finish_requests("a", RequestStatus.FINISHED_ABORTED)
    assert engine.counts.streams_aborted == (0 if stop else 1)
    assert not engine.scheduler.stoppable and request.is_finished()


def test_a_client_that_leaves_before_a_token_is_one_that_left():
    engine = Engine()
    engine.send("a", stop=["\n"])
    engine.step()
    engine.scheduler.finish_requests("a", RequestStatus.FINISHED_ABORTED)
    assert engine.counts.streams_aborted == 1


def test_the_end_of_a_session_of_vllms_own_is_no_request():
    engine = Engine()
    for resumable in (True, True, False):
        request = Request("a", [5], SamplingParams(), None, resumable=resumable)
        engine.scheduler.add_request(request)
        assert "vLLM's own streaming input" in error(engine.step()["a"])[1]
    assert not engine.scheduler.requests and not engine.scheduler.sessions


def test_images_are_refused_at_start_up():
    scheduler = Engine().scheduler
    scheduler.max_num_encoder_input_tokens = 1
    with pytest.raises(HeadraceError, match="images and other media is not supported"):
        check_scheduler(scheduler, runs_ahead=False)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (7, "a mapping of keys is needed"),
        ({"policy": 7}, "key policy: 7 is no text"),
        ({"policy": "nowhere.py:Mine"}, "no such file"),
        ({"eviction": None}, "key eviction"),
        ({"costs": [1.0]}, "key costs"),
        ({"costs": {"swap_s": [None]}}, "swap_s"),
        ({"costs": {"swap_s": 1.0}}, "a list is needed"),
        ({"max_streams": True}, "max_streams"),
        ({"max_streams": 1.5}, "max_streams"),
        ({"stream_timeout_s": float("nan")}, "not finite"),
        ({"stream_timeout_s": "1"}, "no number"),
        ({"control": 1}, "true or false"),
        ({"token_budget": 0}, "token_budget"),
        ({"endpoint": 1}, "endpoint"),
    ],
    ids=str,
)
def test_options_of_the_wrong_type(options, line):
    with pytest.raises(HeadraceError, match=line) as caught:
        workerless(StreamScheduler, LIMITS, {KEY: options})
    assert "\n" not in str(caught.value)
