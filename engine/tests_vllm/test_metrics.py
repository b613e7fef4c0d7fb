"""Metrics of streams: from the scheduler in its own process to what /metrics shows."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from fastapi import FastAPI
from model import VOCABULARY
from prometheus_client.parser import text_string_to_metric_families
from vllm import SamplingParams
from vllm.engine.arg_utils import AsyncEngineArgs
from vllm.entrypoints.serve.instrumentator.metrics import attach_router
from vllm.v1.engine import EngineCoreOutputs
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.metrics.loggers import load_stat_logger_plugin_factories
from vllm.v1.metrics.stats import SchedulerStats
from vllm.v1.serial_utils import MsgpackDecoder, MsgpackEncoder

from headrace.streams.error import StreamError
from headrace.vllm.client import Client
from headrace.vllm.counts import SUMS, Counts
from headrace.vllm.metrics import COUNTERS, TTFT, StreamMetrics
from headrace.vllm.private import carried_counts, carry_counts
from headrace.vllm.scheduler import StreamScheduler

TIMEOUT_S = 8.0  # longer than any wait of the others
REPORTED = ("invalidated_tokens", "preemptions_recompute", "preemptions_swap")


async def shown() -> dict[tuple, float]:
    """Samples of this package at /metrics, by name and further labels, as vLLM's own route shows them."""
    app = FastAPI()
    attach_router(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://it") as client:
        text = (await client.get("/metrics")).text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name.startswith("headrace:") and not sample.name.endswith("_created"):
                labels = dict(sample.labels)
                assert labels.pop("engine") == "0" and labels.pop("model_name")
                found[sample.name.removeprefix("headrace:"), *labels.values()] = sample.value
    return found


def config(scheduler):
    """As much of a VllmConfig as the plugin looks at."""
    return SimpleNamespace(
        scheduler_config=SimpleNamespace(scheduler_cls=scheduler, get_scheduler_cls=lambda: scheduler),
        model_config=SimpleNamespace(served_model_name="tiny"),
    )


def carried(counts: Counts) -> SchedulerStats:
    """The statistics of a step after their way through vLLM's sockets."""
    stats = SchedulerStats()
    carry_counts(stats, counts.take())
    sent = MsgpackEncoder().encode(EngineCoreOutputs(scheduler_stats=stats))
    return MsgpackDecoder(EngineCoreOutputs).decode(sent).scheduler_stats


def test_vllm_finds_the_plugin():
    assert StreamMetrics in load_stat_logger_plugin_factories()


def test_every_count_is_shown():
    assert set(COUNTERS) == set(SUMS)


def test_counts_arrive_and_add_up_over_steps():
    metrics = StreamMetrics(config(StreamScheduler), [0])
    counts = Counts(open_streams=3, **{name: i for i, name in enumerate(SUMS, start=1)})
    counts.first_token(0.03)
    metrics.record(carried(counts), None)
    counts.open_streams = 1
    counts.streams_opened += 4
    counts.first_token(2.0)
    metrics.record(carried(counts), None)
    metrics.record(carried(counts), None)  # a step in which nothing happened
    metrics.record(None, None)
    samples = asyncio.run(shown())
    assert samples["num_streams_open",] == 1
    assert samples["streams_opened_total",] == 1 + 4
    for name, (metric, labels, _) in COUNTERS.items():
        if name != "streams_opened":
            assert samples[f"{metric}_total", *labels.values()] == SUMS.index(name) + 1
    ttft = TTFT[0].removeprefix("headrace:")
    assert samples[f"{ttft}_count",] == 2 and samples[f"{ttft}_sum",] == pytest.approx(2.03)
    assert samples[f"{ttft}_bucket", "0.025"] == 0 and samples[f"{ttft}_bucket", "0.05"] == 1


def test_another_front_end_in_the_process_starts_from_zero():
    metrics = StreamMetrics(config(StreamScheduler), [0])
    metrics.record(carried(Counts(streams_opened=2)), None)
    StreamMetrics(config(StreamScheduler), [0])
    assert asyncio.run(shown())["streams_opened_total",] == 0


@pytest.mark.parametrize("scheduler", (None, object))
def test_an_engine_with_another_scheduler_shows_none(scheduler):
    StreamMetrics(config(StreamScheduler), [0])
    metrics = StreamMetrics(config(scheduler), [0])
    metrics.record(SchedulerStats(running_lora_adapters={"an adapter": 1}), None)
    assert asyncio.run(shown()) == {}


def test_adapters_are_no_counts():
    assert carried_counts(SchedulerStats(running_lora_adapters={"an adapter": 1})) == {}


def prompt(length: int, seed: int) -> list[int]:
    return [(seed * 7919 + i * i * 31 + i * 17) % (VOCABULARY - 3) + 3 for i in range(length)]


async def until(sample: tuple, value: float, more: bool = False) -> dict[tuple, float]:
    """The metrics, once one of them has a value, or more: the statistics of a step come after its tokens."""
    for _ in range(200):
        samples = await shown()
        if samples[sample] == value or (more and samples[sample] > value):
            return samples
        await asyncio.sleep(0.05)
    raise AssertionError(f"{sample} stayed {samples[sample]}")


async def serve(engine: AsyncLLM) -> tuple[list[dict], dict]:
    """Streams that push each other out of 79 blocks, one aborted, one timed out: reports and metrics.

    Closed streams go before open ones, so that each of the open ones is evicted.
    """
    client = Client(engine)

    def stream():
        return client.stream(SamplingParams(max_tokens=4, temperature=0.0, ignore_eos=True))

    async def finish(stream, seed: int) -> dict:
        assert len([token async for token in stream.finish(prompt(20, seed))]) == 4
        return stream.report

    async with stream() as large, stream() as small:
        await large.append(prompt(1500, 1))
        await until(("streams_opened_total",), 1)
        async with stream() as other:
            await other.append(prompt(1500, 2))  # pushes the large one to the host
            reports = [await finish(other, 3)]
        await large.append(prompt(10, 4))  # brings it back
        await until(("swapped_blocks_total", "in"), 1, more=True)
        await small.append(prompt(100, 5))
        await until(("streams_opened_total",), 3)
        await asyncio.sleep(1.0)  # whatever is left of the two before
        async with stream() as largest:
            await largest.append(prompt(2000, 6))  # pushes both out, the small one to be recomputed
            reports.append(await finish(largest, 7))
        await large.update(prompt(1500, 1)[:700] + prompt(300, 8))
        reports += [await finish(large, 9), await finish(small, 10)]
    async with stream() as left:  # never finished: aborted
        await left.append(prompt(40, 11))
        await until(("num_streams_open",), 1)
    await until(("num_streams_open",), 0)
    late = stream()
    await late.append(prompt(40, 12))
    await until(("num_streams_open",), 1)
    await asyncio.sleep(TIMEOUT_S)
    async with stream() as last:  # the time-out is found at the next step
        reports.append(await finish(last, 13))
    with pytest.raises(StreamError, match="no chunk for"):
        async for _ in late.finish(prompt(5, 14)):
            pass
    return reports, await until(("streams_timed_out_total",), 1)


def test_served_streams_are_shown_as_their_reports_say(model_folder):
    """A front-end and an engine in two processes."""

    async def run():
        engine = AsyncLLM.from_engine_args(
            AsyncEngineArgs(
                model=str(model_folder),
                skip_tokenizer_init=True,
                dtype="float32",
                enforce_eager=True,
                max_model_len=2048,
                block_size=32,
                num_gpu_blocks_override=80,
                max_num_batched_tokens=256,
                max_num_seqs=16,
                async_scheduling=False,
                scheduler_cls="headrace.vllm.scheduler.StreamScheduler",
                additional_config={
                    "headrace": {
                        "eviction": "cost_victim",
                        "costs": {"recompute_s": [0.0, 1e-4], "swap_s": [0.02, 1e-5]},
                        "stream_timeout_s": TIMEOUT_S,
                    }
                },
                kv_transfer_config={
                    "kv_connector": "SwapConnector",
                    "kv_role": "kv_both",
                    "kv_connector_module_path": "headrace.vllm.swap",
                    "kv_connector_extra_config": {"host_blocks": 200},
                },
            )
        )
        try:
            return await serve(engine)
        finally:
            engine.shutdown()

    reports, samples = asyncio.run(run())
    total = {name: sum(report[name] for report in reports) for name in REPORTED}
    assert total["preemptions_swap"] and total["preemptions_recompute"] and total["invalidated_tokens"]
    assert samples["invalidated_tokens_total",] == total["invalidated_tokens"]
    assert samples["preemptions_total", "recompute"] == total["preemptions_recompute"]
    assert samples["preemptions_total", "swap"] == total["preemptions_swap"]
    events = [event for report in reports for event in report["events"]]

    def tokens(name: str) -> list[int]:
        return [n for event, _, n in events if event == name]

    assert samples["recomputed_tokens_total",] == sum(tokens("preempted_recompute"))
    for direction, name in (("out", "preempted_swap"), ("in", "swapped_in")):
        assert samples["swapped_blocks_total", direction] == sum(-(-n // 32) for n in tokens(name))
    assert samples["num_streams_open",] == 0
    assert samples["streams_opened_total",] == 7
    assert samples["streams_closed_total",] == len(reports) == 5
    assert samples["streams_aborted_total",] == 1
    assert samples["streams_timed_out_total",] == 1
    assert samples["streams_failed_total",] == 0
    assert samples["chunks_total", "update"] == 1
    assert samples["chunks_total", "append"] == 7 + 1 + 4  # the last one opens and closes at once
    ttft = TTFT[0].removeprefix("headrace:")
    assert samples[f"{ttft}_count",] == 5
    of_reports = sum(report["first_token_s"] - report["last_chunk_s"] for report in reports)
    assert samples[f"{ttft}_sum",] == pytest.approx(of_reports, abs=1e-4)
