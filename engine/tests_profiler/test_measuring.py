"""Which measurement goes where in the file."""

from contextlib import nullcontext

import pytest

from headrace.perf.profiler import measuring, passes, profile
from headrace.perf.profiler.devices import Room
from headrace.perf.profiler.grid import make_grid
from headrace.perf.profiler.llama import make_llama
from headrace.perf.profiler.passes import Passes
from headrace.perf.profiler.ranks import Ranks

ALONE = Ranks(0, 1, "cpu")
SECONDS = {"out_batched": 1.0, "in_batched": 2.0, "out_per_block": 3.0, "in_per_block": 5.0}


def test_every_time_stands_in_its_section(files, tmp_path, monkeypatch):
    """Swaps take seconds by their kind, a pass 1 s per token and 0.1 s per pair or token read."""

    def swap_s(move, *_):
        return [SECONDS[move.func.__name__] * move.args[0]] * 2

    def pass_s(self, shape, repeats, dropped):
        requests, new, context = shape
        attended = context if new == 1 else new * (context + new / 2)
        return [requests * (new + 0.1 * attended)] * (repeats - dropped)

    monkeypatch.setattr(measuring, "measure", swap_s)
    monkeypatch.setattr(Passes, "seconds", pass_s)
    model = profile("tiny-tp1", *files, tmp_path / "tiny.json", device="cpu")
    assert [model.swap.out_s[1][0], model.swap.in_s[1][0]] == [2.0, 4.0]
    assert [model.swap_per_block.out_s[1][0], model.swap_per_block.in_s[1][0]] == [6.0, 10.0]
    assert model.provenance["suggested_swap_block_s"] == pytest.approx((3.0 - 1.0 + 5.0 - 2.0) / 2)
    assert model.recompute.latency_s[0] == (16 + 0.1 * 16 * 8,) * 5
    assert model.step.attention_s_per_token_pair == pytest.approx(0.1)
    assert model.step.decode_s_per_context_token == pytest.approx(0.1)


def test_a_rank_moves_its_share_of_the_kv_heads(tiny, monkeypatch):
    made = []

    def swaps(pool, layers, elements_per_token, largest_tokens):
        made.append((pool.numel(), layers, elements_per_token, largest_tokens))

    monkeypatch.setattr(measuring, "Swaps", swaps)
    for name in ("make_llama", "Passes", "_measure_swaps", "_measure_passes"):
        monkeypatch.setattr(measuring, name, lambda *_: None)
    grid = make_grid(tiny, 2, Room(10**9, 10**9), "place")
    measuring.measure_all(grid, tiny, Ranks(1, 2, "cpu"), graphs=False)
    assert made == [(grid.pool_tokens * 2 * 2 * 16, 2, 16, 1024)]


@pytest.mark.parametrize(
    ("shape", "replayed"), [((2, 16, 8), True), ((3, 16, 8), False), ((33, 1, 8), False)]
)
def test_small_passes_are_replayed_and_large_ones_run(shape, replayed, tiny, monkeypatch):
    """All tokens of a pass count, not those of a request."""
    streams = []
    monkeypatch.setattr(passes, "GRAPH_TOKENS", 32)
    monkeypatch.setattr(passes, "captured", lambda run, stream: streams.append(stream) or nullcontext(run))
    llama = make_llama(tiny, ALONE)
    pool = llama.lm_head.weight.new_zeros(33 * 24 * 2 * tiny.layers * tiny.kv_heads * tiny.head_dim)
    timed = Passes(llama, pool, ALONE, graphs=False)
    timed.stream = "the stream"
    positions = []
    llama.register_forward_pre_hook(
        lambda module, args, given: positions.append(given["position_ids"]), with_kwargs=True
    )
    timed.seconds(shape, repeats=1, dropped=0)
    assert streams == ["the stream"] * replayed
    requests, new, context = shape
    assert positions[0].tolist() == [list(range(context, context + new))] * requests
