import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.perf import write_model


def test_one_prefill_after_context(toy, overheads, request_of):
    step_s = toy.step_time(overheads(step_s=1.0, request_s=0.5), 16)
    # 1 + 0.5 + dense(8) 0.02 + 1e-4 * 8 * (100 + 4)
    assert step_s([(request_of(100), 8, 1)]) == pytest.approx(1.5 + 0.020 + 0.0832)


def test_two_prefills_share_the_dense_work_and_not_the_attention(toy, overheads, request_of):
    step_s = toy.step_time(overheads(step_s=1.0, request_s=0.5), 16)
    # 1 + 2 * 0.5 + dense(4 + 8 = 12) 0.04 + 1e-4 * (4 * (10 + 2) + 8 * (0 + 4))
    runs = [(request_of(10), 4, 0), (request_of(0), 8, 1)]
    assert step_s(runs) == pytest.approx(2.0 + 0.040 + 0.008)


def test_a_decode_reads_its_context(toy, overheads, request_of):
    step_s = toy.step_time(overheads(), 16)
    # dense(1) is that of the table's first point; 1e-5 * 500.
    assert step_s([(request_of(500), 1, 0)]) == pytest.approx(0.010 + 0.005)


def test_decodes_and_a_prefill_in_one_step(toy, overheads, request_of):
    step_s = toy.step_time(overheads(request_s=0.5), 16)
    runs = [(request_of(500), 1, 0), (request_of(300), 1, 0), (request_of(20), 2, 0)]
    # 3 * 0.5 + dense(4) + 1e-5 * 800 + 1e-4 * 2 * (20 + 1)
    assert step_s(runs) == pytest.approx(1.5 + 0.010 + 0.008 + 0.0042)


@pytest.mark.parametrize(
    ("tokens", "dense_s"), [(2, 0.010), (4, 0.010), (5, 0.0125), (8, 0.020), (15, 0.055), (16, 0.060)]
)
def test_the_table_is_linear_between_its_points_and_flat_before(toy, tokens, dense_s):
    assert toy.step.dense(16, "toy")[tokens] == pytest.approx(dense_s)


@pytest.mark.parametrize("max_tokens", [1, 3, 4, 7, 8, 9, 16])
def test_the_table_is_as_long_as_the_budget(toy, max_tokens):
    dense_s = toy.step.dense(max_tokens, "toy")
    assert len(dense_s) == max_tokens + 1 and dense_s[0] == 0.0
    assert dense_s == toy.step.dense(16, "toy")[: max_tokens + 1]


def test_a_budget_beyond_the_table_is_refused(toy, overheads):
    with pytest.raises(HeadraceError, match="17 tokens is beyond its table; a token budget of 16 or less"):
        toy.step_time(overheads(), 17)


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 4)), min_size=1, max_size=4))
def test_the_formula_holds_for_any_batch(toy, overheads, request_of, batch):
    step_s = toy.step_time(overheads(step_s=0.7, request_s=0.3, dense_scale=1.5, attention_scale=2.5), 16)
    expected = 0.7 + 0.3 * len(batch) + 1.5 * toy.step.dense(16, "toy")[sum(n for _, n in batch)]
    for context, n in batch:
        expected += 2.5 * (1e-4 * n * (context + n / 2) if n > 1 else 1e-5 * context)
    assert step_s([(request_of(context), n, 0) for context, n in batch]) == pytest.approx(expected)


def test_a_swap_moves_its_blocks(toy, overheads):
    swap_s = toy.swap_time(overheads(swap_block_s=0.1), 16)
    assert swap_s(0) == 0.0
    # One way is half of in + out: 0.002 at 16 tokens, 0.004 at 32, 0.008 at 64; 0.0001 per token beyond.
    assert swap_s(1) == pytest.approx(0.1 + 0.002)
    assert swap_s(3) == pytest.approx(0.3 + 0.006)
    assert swap_s(8) == pytest.approx(0.8 + 0.008 + 64 * 0.000125)
    assert toy.swap_time(overheads(), 8)(1) == pytest.approx(0.001)


def test_costs_take_the_overheads_in(toy, overheads):
    costs = toy.costs(overheads(step_s=1.0, swap_block_s=0.5), token_budget=32, block_size=16)
    # Through 16: 0.011 + 1, 32: 0.021 + 1, 64: 0.043 + 2, 128: 0.090 + 4 by degree 2; swaps of in + out
    # 0.004 + 1, 0.008 + 2, 0.016 + 4 lie on a line.
    assert costs.recompute_s(64) == pytest.approx(2.043, abs=0.15)
    assert [costs.swap_s(n) for n in (16, 32, 64)] == pytest.approx([1.004, 2.008, 4.016])
    assert costs.notes == ()


def test_a_slower_forward_pass_makes_recomputation_dearer_and_no_swap(toy, overheads):
    plain = toy.costs(overheads(), token_budget=32, block_size=16)
    slower = toy.costs(overheads(dense_scale=2.0, attention_scale=3.0), token_budget=32, block_size=16)
    # By 2 x 1e-4 x n2 / 2, and by dense(n): 0.060 at 16 tokens, 0.005 more with each.
    for n in (16, 64):
        assert slower.recompute_s(n) - plain.recompute_s(n) == pytest.approx(
            1e-4 * n * n + 0.060 + 0.005 * (n - 16)
        )
    assert slower.swap_s(64) == plain.swap_s(64)


def test_a_poor_fit_is_told(tables, overheads, tmp_path):
    tables["recompute"]["latency_s"] = [[0.5], [0.001], [0.6], [0.002]]
    model = write_model(tables, tmp_path / "toy.json")
    with pytest.warns(UserWarning, match=r"recompute fit: R2 .* is below 0\.9"):
        costs = model.costs(overheads(), token_budget=32, block_size=16)
    assert "recompute fit: R2" in costs.notes[0]


def test_a_negative_fit_is_told_and_kept(tables, overheads, tmp_path):
    tables["swap"] |= {"in_s": [[0.001], [0.001], [0.2]], "out_s": [[0.001], [0.001], [0.2]]}
    tables["swap"]["tokens"] = [16, 600, 1000]
    tables["recompute"] |= {"tokens": [300, 600, 1000], "latency_s": [[0.1], [0.2], [0.3]]}
    costs = write_model(tables, tmp_path / "toy.json").costs(overheads(), token_budget=32, block_size=16)
    assert costs.swap_s(300) < 0
    assert costs.notes == (f"swap fit: {costs.swap_s(300):.6f} s at 300 tokens is negative",)
