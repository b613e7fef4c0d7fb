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
        (change(model="other"), "model.json: made for the model toy-model, not for other"),
        (change(tensor_parallel=2), "made for tensor_parallel 1, not for 2"),
        (change(worlds=2), "chunks.parquet: has 1 worlds, the cell wants 2"),
        (change(policy="fcsf"), "unknown policy 'fcsf'; did you mean 'fcfs'"),
        (change(eviction="swop"), "unknown eviction rule 'swop'; did you mean 'swap'"),
        (change(delay_scope="al"), "unknown scope 'al'; did you mean 'all'"),
        (change(overheads={"step_ms": 1.0}), "unknown.*step_ms|step_ms.*step_s"),
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
