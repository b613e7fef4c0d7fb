"""Swap with tensor parallel size 2: each rank keeps and brings back its own share of the KV heads."""

import pytest
from engine import BLOCK_SIZE, swap_connector
from model import HEAD_DIM, KV_HEADS, LAYERS, VOCABULARY
from vllm import SamplingParams
from vllm.distributed.kv_transfer import get_kv_transfer_group

from headrace.vllm.chunk import Chunk
from headrace.vllm.private import SteppedEngine

BLOCKS, HOST_BLOCKS, OUTPUT = 80, 200, 4
STREAMS, TOKENS = 4, 1200


@pytest.fixture(scope="module")
def engine(model_folder):
    """An engine of two ranks, which evicts by swap alone."""
    started = SteppedEngine(
        {
            "model": str(model_folder),
            "skip_tokenizer_init": True,
            "dtype": "float32",
            "enforce_eager": True,
            "tensor_parallel_size": 2,
            "max_model_len": 2048,
            "block_size": BLOCK_SIZE,
            "num_gpu_blocks_override": BLOCKS,
            "max_num_batched_tokens": 512,
            "max_num_seqs": 8,
            "async_scheduling": False,
            "enable_prefix_caching": False,
            "disable_log_stats": True,
            "scheduler_cls": "headrace.vllm.scheduler.StreamScheduler",
            "additional_config": {"headrace": {"eviction": "swap", "stream_timeout_s": 1e9}},
            "kv_transfer_config": swap_connector(HOST_BLOCKS),
        }
    )
    yield started
    started.shutdown()


def prompt(stream: int) -> list[int]:
    return [(stream * 7919 + i * i * 31 + i * 17) % (VOCABULARY - 3) + 3 for i in range(TOKENS)]


def sampling(chunk: Chunk | None = None) -> SamplingParams:
    return SamplingParams(
        max_tokens=OUTPUT,
        temperature=0.0,
        ignore_eos=True,
        extra_args=chunk.extra_args() if chunk else None,
    )


def run(engine: SteppedEngine) -> dict[str, list[int]]:
    """Steps until nothing is left to compute; the tokens by request."""
    tokens = {}
    while engine.scheduler.has_requests() and engine.scheduler.has_unfinished_requests():
        for output in engine.step():
            tokens.setdefault(output.request_id, []).extend(output.new_token_ids)
    return tokens


def alone(engine: SteppedEngine) -> list[list[int]]:
    """The answers to the prompts, one after another: nobody is evicted."""
    answers = []
    for stream in range(STREAMS):
        engine.send(f"alone-{stream}", prompt(stream), sampling())
        (tokens,) = run(engine).values()
        answers.append(tokens)
    return answers


def under_pressure(engine: SteppedEngine, name: str, between=lambda: None) -> tuple[list[list[int]], int]:
    """The same as streams that don't fit together, in two chunks each; and how often one was swapped out."""
    ids = [f"{name}-{stream}" for stream in range(STREAMS)]
    for stream, id in enumerate(ids):
        engine.send(id, prompt(stream)[: TOKENS - 100], sampling(Chunk(stream=id, index=0)))
        run(engine)
    assert any(engine.scheduler.connector.holds(id) for id in ids)
    between()
    served = [engine.scheduler.served[id] for id in ids]
    for stream, id in enumerate(ids):
        last = Chunk(stream=id, index=1, final=True)
        engine.send(f"{id}#1", prompt(stream)[TOKENS - 100 :], sampling(last))
    tokens = run(engine)
    assert engine.scheduler.connector.host_free == HOST_BLOCKS
    assert not any(request.preemptions_recompute for request in served)
    return [tokens[id] for id in ids], sum(request.preemptions_swap for request in served)


def zero_host_memory_of_rank_1(worker) -> None:
    """What rank 1 has swapped out is lost."""
    if worker.rank == 1:
        for part in get_kv_transfer_group()._copies.host:
            part.zero_()


def test_swapped_streams_are_answered_as_if_they_had_been_alone(engine):
    expected = alone(engine)
    answers, swaps = under_pressure(engine, "swapped")
    assert swaps >= 2
    assert answers == expected


def test_a_rank_that_loses_its_share_is_noticed(engine):
    expected = alone(engine)
    answers, _ = under_pressure(engine, "lost", lambda: engine.on_workers(zero_host_memory_of_rank_1))
    assert answers != expected


def test_each_rank_holds_half_of_a_block(engine):
    """Keys and values of 4 bytes an element, of half the heads."""
    whole = 2 * 4 * LAYERS * KV_HEADS * HEAD_DIM * BLOCK_SIZE
    assert engine.on_workers(bytes_of_a_block) == [whole // 2] * 2


def bytes_of_a_block(worker) -> int:
    return sum(part[0].nbytes for part in get_kv_transfer_group()._copies.host)
