import io
from pathlib import Path

import polars as pl
import pytest
import yaml
from rich.console import Console

import headrace.scorecard
from headrace.errors import HeadraceError
from headrace.files import write_json
from headrace.metrics import collect
from headrace.scorecard import score, summary

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "data" / "reference" / "stream2llm"
CALIBRATION = yaml.safe_load((ROOT / "config/studies/stream2llm.calibration.yaml").read_text())
POLICIES = (("default_vllm", True), ("default_vllm", False), ("fcfs", True))


@pytest.fixture
def chunks(tmp_path):
    """A crawler workload of two worlds: every query opens at 1 s and gets one append of 400 tokens at 3 s."""
    rows = [
        (world, query, chunk, (1.0, 3.0)[chunk], "append", (100, 500)[chunk], (0, 100)[chunk], chunk == 1, 1)
        for world in range(2)
        for query in range(5)
        for chunk in range(2)
    ]
    names = ["world", "query_id", "chunk_index", "offset_s", "mode", "prompt_tokens", "common_prefix_tokens"]
    integers = dict.fromkeys(["world", "query_id", "chunk_index", "prompt_tokens"], pl.Int32)
    integers |= dict.fromkeys(["common_prefix_tokens", "output_tokens"], pl.Int32)
    path = tmp_path / "crawler.parquet"
    table = pl.DataFrame(rows, schema=[*names, "final", "output_tokens"], orient="row")
    table.cast(integers).write_parquet(path)
    return path


@pytest.fixture
def metrics(fabricate, tmp_path):
    cells = [fabricate("crawler", policy, 4.0, stream=stream) for policy, stream in POLICIES]
    cells += [
        fabricate("crawler", policy, 4.0, stream=stream, hardware="h100-tp2") for policy, stream in POLICIES
    ]
    cells += [
        fabricate("crawler", "fcfs", 4.0, delay=10, eviction=eviction)
        for eviction in ("cost_published", "cost_victim", "swap")
    ]
    for cell in cells:
        write_json(
            cell.parent / "cell.json", {"backend": "sim", "perf_model": {"file": "models/h.silicon.json"}}
        )
    collect(cells, tmp_path / "metrics.parquet")
    return tmp_path / "metrics.parquet"


@pytest.fixture
def scorecard(metrics, chunks, tmp_path):
    out = tmp_path / "scorecard.csv"
    headrace.scorecard.write(metrics, {"crawler": chunks}, REFERENCE, CALIBRATION, out)
    return out


def test_every_simulated_cell_and_every_published_number_has_its_rows(scorecard):
    table = score.read(scorecard)
    key = list(score.KEYS)
    assert not table.select(key).is_duplicated().any()
    per_run = {("default_vllm", True): 4, ("default_vllm", False): 4, ("fcfs", True): 12}
    for hardware, role in (("h200-tp2", {"seen", "calibrated"}), ("h100-tp2", {"held_out"})):
        for (policy, stream), rows in per_run.items():
            cell = table.filter(hardware=hardware, setting="main", qps=4.0, policy=policy, stream=stream)
            cell = cell.filter(pl.col("reproduced").is_not_null())
            assert cell.height == rows and set(cell["role"]) <= role
    held_out = table.filter(role="held_out")
    assert {"delay10_cost_victim", "delay10_swap"} <= set(held_out["setting"])
    assert held_out["published"].null_count() == held_out.height
    assert held_out["verdict"].null_count() == held_out.height
    missing = table.filter(verdict="missing")
    assert missing["reproduced"].null_count() == missing.height
    assert set(table.filter(workload="anns")["verdict"]) == {"missing"}


def test_a_short_trace_is_scored_by_its_median(scorecard, metrics):
    row = score.read(scorecard).filter(
        hardware="h200-tp2", setting="main", qps=4.0, policy="fcfs", quantity="ttft_p95_s"
    )
    values = pl.read_parquet(metrics).filter(
        hardware="h200-tp2", delay=1, policy="fcfs", quantity="ttft_p95_s"
    )["value"]
    assert row["reproduced"][0] == pytest.approx(values.median(), rel=1e-5)


def test_workload_statistics_come_from_the_chunk_table(scorecard):
    rows = score.read(scorecard).filter(artifact="table2", workload="crawler")
    found = dict(rows.select("quantity", "reproduced").rows())
    assert found["total_tokens_per_query_p50"] == 500.0
    assert found["query_duration_mean_s"] == 3.0
    assert set(rows["role"]) == {"input"}


def test_the_same_input_gives_the_same_bytes(scorecard, metrics, chunks, tmp_path):
    again = tmp_path / "again.csv"
    headrace.scorecard.write(metrics, {"crawler": chunks}, REFERENCE, CALIBRATION, again)
    assert again.read_bytes() == scorecard.read_bytes()


def test_two_backends_are_not_mixed(metrics, chunks, tmp_path):
    table = pl.read_parquet(metrics)
    pl.concat([table, table.with_columns(backend=pl.lit("vllm"))]).write_parquet(metrics)
    out = tmp_path / "mixed.csv"
    with pytest.raises(HeadraceError, match="sim, vllm"):
        headrace.scorecard.write(metrics, {"crawler": chunks}, REFERENCE, CALIBRATION, out)
    assert not out.exists()


def test_the_summary_says_where_numbers_come_from_and_keeps_roles_apart(scorecard):
    text = printed(scorecard, width=120)
    assert "simulated, with performance models h.silicon" in text
    order = [text.index(title) for title in ("Seen", "Calibrated", "Input", "Worst seen rows, crawler")]
    assert order == sorted(order)
    assert "TTFT P50 P95 P99" in text and all(word in text for word in ("median", "null P90", "inside"))
    assert "published, not reproduced" in text and "held out" in text


def test_the_summary_fits_a_narrow_terminal(scorecard):
    assert max(len(line) for line in printed(scorecard, width=80).splitlines()) <= 80


def test_a_scorecard_without_its_cells_claims_nothing(scorecard, tmp_path):
    moved = tmp_path / "elsewhere" / "scorecard.csv"
    moved.parent.mkdir()
    moved.write_bytes(scorecard.read_bytes())
    assert "unknown origin" in " ".join(printed(moved, width=300).split())


def test_a_scorecard_of_run_logs_counts_the_runs(scorecard, tmp_path):
    for rate in (2.0, 4.0):
        write_json(tmp_path / f"cells/backend=published/qps={rate}/cell.json", {"backend": "published"})
    logged = tmp_path / "published/scorecard.csv"
    logged.parent.mkdir()
    logged.write_bytes(scorecard.read_bytes())
    assert "read from 2 run logs of the study" in " ".join(printed(logged, width=300).split())


def printed(scorecard, width):
    console = Console(file=io.StringIO(), width=width)
    headrace.scorecard.print_summary(scorecard, console)
    return console.file.getvalue()


ROW = dict.fromkeys(score.COLUMNS) | {
    "workload": "anns",
    "artifact": "inline",
    "role": "seen",
    "policy": "fcfs",
}


def rows(*changes):
    return pl.DataFrame([ROW | change for change in changes], schema=score.COLUMNS)


def row(error, null, verdict, quantity="ttft_p50_s", **more):
    return {
        "quantity": quantity,
        "published": 1.0,
        "rel_error": error,
        "null_error": null,
        "verdict": verdict,
    } | more


def test_summary_by_hand():
    table = rows(
        row(-0.1, 0.3, "inside"),
        row(0.2, None, "outside"),
        row(-0.4, -0.5, "inside"),
        row(9.0, 9.0, "excluded"),
        row(None, None, "missing"),
        row(0.7, 0.0, "inside", role="calibrated"),
        row(0.5, 0.1, "outside", quantity="ttft_p99.9_s"),
        row(None, None, None, published=None, role="held_out"),
    )
    found = summary.summarise(table)
    assert found.select("role", "family", "rows").rows() == [
        ("calibrated", "TTFT P50 P95 P99", 1),
        ("seen", "TTFT P50 P95 P99", 3),
        ("seen", "TTFT P99.9", 1),
    ]
    seen = found.row(1, named=True)
    assert seen["median"] == 0.2 and seen["p90"] == pytest.approx(0.36)
    assert seen["null_rows"] == 2 and seen["null_median"] == pytest.approx(0.4)
    assert seen["null_p90"] == pytest.approx(0.48)
    assert seen["judged"] == 3 and seen["inside"] == 2


def test_worst_rows_are_seen_judged_and_no_speedups():
    table = rows(
        row(0.1, None, "inside", qps=1.0),
        row(-0.9, None, "outside", qps=2.0),
        row(5.0, None, "excluded"),
        row(5.0, None, "outside", role="calibrated"),
        row(5.0, None, "outside", quantity="speedup_vs_streaming_p50"),
        row(5.0, None, "outside", workload="crawler"),
    )
    assert summary.worst(table, "anns")["qps"].to_list() == [2.0, 1.0]
    assert summary.worst(table, "anns", count=1)["qps"].to_list() == [2.0]
