"""What is timed is the work of a Llama, whole or divided."""

import multiprocessing
import os
import socket

import pytest
import torch
from logits_of_ranks import PROMPT, logits_in_two_passes
from transformers import LlamaConfig, LlamaForCausalLM

from headrace.perf.profiler.llama import KVCache, make_llama
from headrace.perf.profiler.passes import Passes
from headrace.perf.profiler.ranks import Ranks, joined

ALONE = Ranks(0, 1, "cpu")


@pytest.fixture(scope="module")
def plain(tiny):
    """Logits of the last tokens by transformers' own class, attention and cache, same weights."""
    config = LlamaConfig(
        vocab_size=tiny.vocab_size,
        hidden_size=tiny.hidden_size,
        intermediate_size=tiny.intermediate_size,
        num_hidden_layers=tiny.layers,
        num_attention_heads=tiny.attention_heads,
        num_key_value_heads=tiny.kv_heads,
        head_dim=tiny.head_dim,
        tie_word_embeddings=False,
        attn_implementation="eager",
    )
    llama = LlamaForCausalLM(config).eval()
    llama.load_state_dict(make_llama(tiny, ALONE, seed=3).state_dict())
    with torch.inference_mode():
        return llama(input_ids=torch.tensor(PROMPT)).logits[:, -1:]


def test_a_pass_after_context_computes_what_a_whole_pass_does(tiny, plain):
    found = logits_in_two_passes(tiny, ALONE)
    assert found.shape == (2, 1, tiny.vocab_size)
    assert plain.std() > 1e-3
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-6)


def test_decodes_compute_what_a_whole_pass_does(tiny, plain):
    llama = make_llama(tiny, ALONE, seed=3)
    pool = torch.zeros(2 * 48 * 2 * tiny.layers * tiny.kv_heads * tiny.head_dim)
    passes = Passes(llama, pool, ALONE, graphs=False)
    tokens, everything = torch.tensor(PROMPT), KVCache(pool, llama.config, 2, 48, 0).layers
    with torch.inference_mode():
        for position in range(48):
            cache = KVCache(pool, llama.config, 2, 48, 0)
            cache.layers, cache.context = everything[:, :, :, : position + 1], position
            found = passes.logits(tokens[:, position : position + 1], torch.full((2, 1), position), cache)
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-6)


def test_two_ranks_compute_what_one_does(tiny, plain, tmp_path, monkeypatch):
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    for name, value in (("MASTER_ADDR", "localhost"), ("MASTER_PORT", port), ("WORLD_SIZE", 2)):
        monkeypatch.setenv(name, str(value))
    # Forked, since starting Python and torch twice takes seconds.
    context = multiprocessing.get_context("fork")
    ranks = [context.Process(target=one_of_two, args=(tiny, n, tmp_path / "logits.pt")) for n in range(2)]
    for rank in ranks:
        rank.start()
    for rank in ranks:
        rank.join(60)
    assert [rank.exitcode for rank in ranks] == [0, 0]
    found = torch.load(tmp_path / "logits.pt", weights_only=True)
    torch.testing.assert_close(found, plain, rtol=1e-4, atol=1e-6)


def one_of_two(model, rank, out):
    os.environ["RANK"] = str(rank)
    with joined("cpu") as ranks:
        found = logits_in_two_passes(model, ranks)
        assert ranks.slowest([1.0 + rank, 5.0 - rank]) == [2.0, 5.0]
        assert ranks.least([1 + rank, 5 - rank]) == [1, 4]
    if rank == 0:
        torch.save(found, out)


def test_weights_depend_on_the_seed_alone(tiny):
    one, same, other = (make_llama(tiny, ALONE, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["lm_head.weight"], other["lm_head.weight"])


@pytest.mark.parametrize("shape", [(1, 16, 0), (1, 16, 128), (4, 1, 512)])
def test_every_repeat_but_the_dropped_ones_is_timed(tiny, shape):
    pool = torch.randn(4 * 513 * 2 * tiny.layers * tiny.kv_heads * tiny.head_dim)
    passes = Passes(make_llama(tiny, ALONE), pool, ALONE, graphs=False)
    calls = []
    passes.llama.register_forward_hook(lambda *_: calls.append(1))
    seconds = passes.seconds(shape, repeats=7, dropped=2)
    assert len(seconds) == 5 and len(calls) == 7
    assert all(0 < s < 5 for s in seconds)
