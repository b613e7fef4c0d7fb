import json

import polars as pl
import pytest

from headrace import cell
from headrace.errors import HeadraceError


def run(toy) -> pl.DataFrame:
    cell.run(toy.spec, out=toy.out, **toy.paths)
    return pl.read_parquet(toy.out / "requests.parquet")


def column(table: pl.DataFrame, name: str) -> list:
    return table[name].to_list()


def test_streaming_by_hand(toy):
    """Query 0 starts at 1, opens at 2 (10 tokens, computed 2..3), closes at 4 with 20 more (4..6).
    Query 1 starts at 3 and hands over all of its 20 tokens at 4. At 4 both are closed with 20 left
    each: 40 tokens in one step, 4 s.
    """
    table = run(toy)
    assert column(table, "arrival_s") == [1.0, 3.0]
    assert column(table, "opened_s") == [2.0, 4.0]
    assert column(table, "handed_over_s") == [4.0, 4.0]
    assert column(table, "last_chunk_s") == [4.0, 4.0]
    assert column(table, "first_token_s") == pytest.approx([8.0, 8.0])
    assert column(table, "ttft_s") == pytest.approx([4.0, 4.0])
    assert column(table, "e2e_s") == pytest.approx([7.0, 5.0])
    assert column(table, "prompt_tokens") == [30, 20]
    assert column(table, "computed_tokens") == [30, 20]
    assert column(table, "chunks") == [2, 1]


def test_without_streaming_the_whole_prompt_goes_at_the_last_chunk(toy):
    """Both submit at 4: 50 tokens in one step of 5 s."""
    toy.spec.update(stream=False, policy="default_vllm")
    table = run(toy)
    assert column(table, "opened_s") == column(table, "handed_over_s") == [4.0, 4.0]
    assert column(table, "ttft_s") == pytest.approx([5.0, 5.0])
    assert column(table, "chunks") == [1, 1]


@pytest.mark.parametrize(("stream", "ttft_s"), [(True, 2.0), (False, 2.5)])
def test_ttft_starts_when_the_last_call_returns_but_without_streaming_when_it_begins(toy, stream, ttft_s):
    """One chunk of 20 tokens, due at 4, whose hand-over takes 0.1 + 20 x 0.02 = 0.5 s; a step of 2 s."""
    toy.write(rows=toy.rows[2:], arrives=toy.arrives[1:])
    toy.spec["overheads"].update(handover_s=0.1, handover_token_s=0.02)
    toy.spec.update(stream=stream, policy="default_vllm")
    table = run(toy)
    assert column(table, "first_token_s") == pytest.approx([6.5])
    assert column(table, "ttft_s") == pytest.approx([ttft_s])
    assert column(table, "opened_s") == column(table, "handed_over_s") == pytest.approx([6.5 - ttft_s])


def test_only_what_is_handed_over_must_fit_the_pool(toy):
    """The first pool of an update has 200 tokens, the last one 30; 10 blocks of 16 hold 96 and 4 ahead."""
    rows = [(0, 0, 0, 1.0, "update", 200, 0, False, 1), (0, 0, 1, 3.0, "update", 30, 10, True, 1)]
    toy.write(rows=rows, arrives=toy.arrives[:1])
    toy.spec["engine"]["kv_blocks"] = 10
    with pytest.raises(HeadraceError, match="200 prompt tokens don't fit"):
        run(toy)
    toy.spec.update(stream=False, policy="default_vllm")
    assert column(run(toy), "prompt_tokens") == [30]


@pytest.mark.parametrize(("scope", "opened_s", "closed_s"), [("scrapes", 2.0, 22.0), ("all", 11.0, 31.0)])
def test_delay_stretches_what_its_scope_says(toy, scope, opened_s, closed_s):
    """Query 0 starts at 1: waits of 1 and 2 s; x10 they are 1 or 10, and 20."""
    toy.spec.update(delay=10, delay_scope=scope)
    table = run(toy)
    assert (table["opened_s"][0], table["handed_over_s"][0]) == (opened_s, closed_s)


def test_cell_json_holds_what_decides_the_result_and_its_totals(toy):
    run(toy)
    content = json.loads((toy.out / "cell.json").read_text())
    assert content["spec"] == toy.spec
    assert content["perf_model"]["provider"] == "fixed" and len(content["perf_model"]["sha256"]) == 64
    (world,) = content["worlds"]
    assert world["steps"] == 2
    assert world["busy_s"] == pytest.approx(5.0)  # 1 s + 4 s
    assert world["end_s"] == pytest.approx(8.0)
    assert world["utilisation"] == pytest.approx(5 / 8)
    assert world["offered_load"] == pytest.approx(5 / 3) and world["overload"] is True
    assert {"commit", "host", "wall_s"} <= json.loads((toy.out / "run.json").read_text()).keys()


def test_two_runs_are_byte_identical(toy):
    run(toy)
    first = {name: (toy.out / name).read_bytes() for name in ("requests.parquet", "cell.json")}
    run(toy)
    assert first == {name: (toy.out / name).read_bytes() for name in first}


def test_progress_counts_worlds(toy):
    rows = [(w, *row[1:]) for w in range(3) for row in toy.rows]
    toy.write(rows, [(w, *row[1:]) for w in range(3) for row in toy.arrives])
    toy.spec["worlds"] = 3
    seen = []
    cell.run(toy.spec, out=toy.out, progress=lambda done, worlds: seen.append((done, worlds)), **toy.paths)
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_query_without_chunks_arrives_and_sends_nothing(toy):
    toy.write(arrives=[(0, 0, 2.0), (0, 1, 6.0), (0, 2, 7.0)])
    assert column(run(toy), "request_id") == [0, 1]


def test_a_machine_without_git_runs_cells_too(toy, monkeypatch):
    monkeypatch.setenv("PATH", str(toy.out))
    run(toy)
    assert json.loads((toy.out / "run.json").read_text())["commit"] is None


def test_a_lone_query_at_the_start_of_the_clock_has_no_offered_load(toy):
    toy.write(rows=toy.rows[:2], arrives=[(0, 0, 0.0)])
    assert column(run(toy), "ttft_s") == pytest.approx([2.0])
    (world,) = json.loads((toy.out / "cell.json").read_text())["worlds"]
    assert world["offered_load"] is None


def test_preemptions_and_invalidated_tokens_lie_in_their_columns(toy):
    """Steps of 10 tokens take 1 s; 6 blocks, of which 4 ahead: 2 blocks of 16 for prompts.

    Query 0 has 20 tokens at 2 (2 blocks and all 4 ahead). At 4 an update keeps 5 of them: 15 are invalid, 1
    block stays, 15 new tokens find their second. Query 1 opens at 4 with 20.
    """
    rows = [
        (0, 0, 0, 1.0, "append", 20, 0, False, 1),
        (0, 0, 1, 3.0, "update", 20, 5, False, 1),
        (0, 0, 2, 30.0, "append", 21, 20, True, 1),
        (0, 1, 0, 9.0, "append", 20, 0, True, 1),
    ]
    toy.write(rows=rows)
    toy.spec["engine"].update(kv_blocks=6, host_blocks=20)
    table = run(toy)
    assert column(table, "invalidated_tokens") == [15, 0]
    assert column(table, "preemptions_recompute") == [1, 0]
    assert column(table, "preemptions_swap") == [0, 0]
    assert column(table, "computed_tokens") == [20 + 15 + 20 + 1, 20]
    toy.spec["eviction"] = "swap"
    table = run(toy)
    assert column(table, "preemptions_recompute") == [0, 0]
    assert column(table, "preemptions_swap") == [1, 0]
    assert column(table, "computed_tokens") == [20 + 15 + 1, 20]


def test_more_than_one_output_token(toy):
    """Query 1: first token at 8 as above; two more, each a step of one token (0.1 s)."""
    toy.write(rows=[*toy.rows[:2], (0, 1, 0, 1.0, "append", 20, 0, True, 3)])
    table = run(toy)
    assert column(table, "output_tokens") == [1, 3]
    assert column(table, "prompt_tokens") == [30, 20]
    assert column(table, "first_token_s") == pytest.approx([8.0, 8.0])
    assert column(table, "finished_s") == pytest.approx([8.0, 8.2])
    assert column(table, "e2e_s") == pytest.approx([7.0, 5.2])
    assert column(table, "computed_tokens") == [30, 22]


def test_a_chunk_that_comes_during_a_step_is_taken_at_its_end(toy):
    """Query 0 computes 10 tokens from 2 to 3; its last chunk is handed over at 2.5."""
    toy.write(rows=[toy.rows[0], (0, 0, 1, 1.5, "append", 30, 10, True, 1), toy.rows[2]])
    table = run(toy)
    assert (table["handed_over_s"][0], table["last_chunk_s"][0]) == (2.5, pytest.approx(3.0))
    assert table["ttft_s"][0] == pytest.approx(2.5)  # 20 tokens from 3 to 5


def test_the_client_tokenises_all_chunks_of_a_stream_at_its_start_and_an_update_is_a_whole_prompt(toy):
    """0.01 s per token tokenised: query 0 starts at 1 with an append of 10 and an update of 30: 0.4 s;
    both chunks are due later. 0.1 s per token handed over: 1 s for the first at 2, 3 s for the second."""
    toy.write(rows=[toy.rows[0], (0, 0, 1, 3.0, "update", 30, 10, True, 1)], arrives=[toy.arrives[0]])
    toy.spec["overheads"].update(tokenise_token_s=0.01, handover_token_s=0.1)
    table = run(toy)
    assert (table["opened_s"][0], table["handed_over_s"][0]) == pytest.approx((3.0, 7.0))
    toy.write(rows=[toy.rows[0], (0, 0, 1, 3.0, "append", 30, 10, True, 1)], arrives=[toy.arrives[0]])
    toy.spec["overheads"]["tokenise_token_s"] = 0.1  # 30 tokens: busy from 1 to 4
    table = run(toy)
    assert (table["opened_s"][0], table["handed_over_s"][0]) == pytest.approx((5.0, 7.0))


def change(**changes):
    def apply(toy):
        for key, value in changes.items():
            toy.spec[key] = {**toy.spec[key], **value} if isinstance(value, dict) else value

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            change(engine={"kv_blocks": 5}),
            r"chunks.parquet: query 0 of world 0: 30 prompt tokens don't fit a KV",
        ),
        (
            lambda toy: (
                toy.write([(*row[:-1], 6) for row in toy.rows]),
                toy.spec["engine"].update(kv_blocks=6),  # 32 tokens; 30 + 5 sampled ones
            ),
            "query 0 of world 0: 30 prompt tokens don't fit a KV",
        ),
        (change(model="other"), "model.json: made for the model toy-model, not for other"),
        (change(tensor_parallel=2), "made for tensor_parallel 1, not for 2"),
        (change(hardware="other"), "model.json: made for toy, not for other"),
        (change(worlds=2), "chunks.parquet: has 1 worlds, the cell wants 2"),
        (change(policy="fcsf"), "unknown policy 'fcsf'; did you mean 'fcfs'"),
        (change(eviction="swop"), "unknown eviction rule 'swop'; did you mean 'swap'"),
        (change(delay_scope="al"), "unknown scope 'al'; did you mean 'all'"),
        (
            change(overheads={"step_ms": 1.0}),
            "spec: key overheads: unknown key 'step_ms'; did you mean 'step_s'",
        ),
        (change(engine={"slot": 8}), "spec: key engine: unknown key 'slot'; did you mean 'slots'"),
        (change(engine={"slots": 0}), "key slots: 0 is too small"),
        (change(engine={"token_budget": 100.5}), "key token_budget: 100.5 is no whole number"),
        (change(engine={"token_budget": 2000}), "a step of 2000 tokens is beyond its table"),
        (change(qps=0), "key qps: 0.0 is too small"),
        (change(qps=float("nan")), "key qps: nan is not finite"),
        (change(worlds=0), "key worlds: 0 is too small"),
        (change(delay=-1), "key delay: -1 is too small"),
        (change(stream="false"), "key stream: 'false' is no true or false"),
        (change(polcy="lcas"), "unknown key 'polcy'; did you mean 'policy'"),
        (change(backend="vllm"), "key backend: 'vllm' can't be run here"),
        (lambda toy: toy.spec.pop("qps"), "key 'qps' is missing"),
        (lambda toy: toy.write([(1, *row[1:]) for row in toy.rows]), "chunks.parquet: has 0 worlds"),
        (lambda toy: toy.write(arrives=toy.arrives[:1]), "2 queries have chunks, 1 of them an arrival"),
        (lambda toy: toy.paths["chunks"].unlink(), "chunks.parquet"),
        (lambda toy: toy.paths["arrivals"].write_bytes(b"PAR1"), "arrivals.parquet"),
        (lambda toy: toy.paths["perf_model"].write_text("{"), "model.json"),
        (lambda toy: toy.write(rows=toy.rows[:1] + toy.rows[2:]), "final"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(toy, spoil, message):
    spoil(toy)
    with pytest.raises(HeadraceError, match=message) as error:
        run(toy)
    assert "\n" not in str(error.value)
    assert not toy.out.exists()


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ((0, 0, 1, 3.0, "update", 30, 9, True, 1), "an update changes its prompt"),
        ((0, 0, 1, 3.0, "append", 10, 10, True, 1), "a chunk adds no token to its prompt"),
    ],
)
def test_a_stream_that_stock_vllm_cannot_serve_is_refused_before_it_starts(toy, row, problem):
    """Query 0 has 10 tokens, of which an update keeps 9. Handed over whole it is a prompt as any other."""
    toy.write(rows=[toy.rows[0], row], arrives=toy.arrives[:1])
    toy.spec.update(policy="vllm_032")
    with pytest.raises(HeadraceError, match=f"query 0: {problem}, and the policy can only append") as error:
        run(toy)
    assert "\n" not in str(error.value)
    assert not toy.out.exists()
    toy.spec.update(stream=False)
    assert column(run(toy), "prompt_tokens") == [row[5]]


def test_stock_vllm_serves_an_update_that_keeps_all_as_an_append(toy):
    """Chunks of 10 and 20 tokens are computed 2..3 and 4..6."""
    toy.write(rows=[toy.rows[0], (0, 0, 1, 3.0, "update", 30, 10, True, 1)], arrives=toy.arrives[:1])
    toy.spec.update(policy="vllm_032")
    assert column(run(toy), "first_token_s") == pytest.approx([6.0])
