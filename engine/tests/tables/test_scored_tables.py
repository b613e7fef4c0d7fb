"""Tables of cells and of workloads, on made-up ones against the published numbers."""

import json
import re
import shutil
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest
import yaml

import headrace.scorecard
from headrace.errors import HeadraceError
from headrace.metrics import collect
from headrace.scorecard.score import COLUMNS
from headrace.tables import inline, table2, table3, table4
from headrace.tables.markdown import percent

ROOT = Path(__file__).parents[3]
REFERENCE = sorted((ROOT / "data" / "reference" / "stream2llm").glob("*.csv"))
CALIBRATION = yaml.safe_load((ROOT / "config/studies/stream2llm.calibration.yaml").read_text())
PROVENANCE = "simulated; performance model h200-tp2.made-up"
RUNS = (("default_vllm", True), ("default_vllm", False), ("fcfs", True), ("lcas", True))


@pytest.fixture
def pressure(fabricate):
    """Crawler x10 under two rules; streaming default_vllm is twice as slow as the others."""
    return [
        fabricate(
            policy=policy,
            qps=4.0,
            stream=stream,
            delay=10,
            eviction=eviction,
            slowness=2.0 if (policy, stream) == RUNS[0] else 1.0,
        )
        for eviction in ("cost_published", "cost_victim")
        for policy, stream in RUNS
    ]


@pytest.fixture
def main_grid(fabricate):
    return [
        fabricate(policy=policy, qps=4.0, stream=stream, hardware=hardware)
        for hardware in ("h200-tp2", "h100-tp2")
        for policy, stream in RUNS
    ]


@pytest.fixture
def chunks(tmp_path):
    """A crawler workload of two worlds, 100 queries of 500 tokens and 3 s each."""
    rows = [
        (world, query, chunk, (1.0, 3.0)[chunk], "append", (100, 500)[chunk], (0, 100)[chunk], chunk == 1, 1)
        for world in range(2)
        for query in range(100)
        for chunk in range(2)
    ]
    names = ["world", "query_id", "chunk_index", "offset_s", "mode", "prompt_tokens", "common_prefix_tokens"]
    integers = dict.fromkeys(["world", "query_id", "chunk_index", "prompt_tokens"], pl.Int32)
    integers |= dict.fromkeys(["common_prefix_tokens", "output_tokens"], pl.Int32)
    path = tmp_path / "crawler.parquet"
    pl.DataFrame(rows, schema=[*names, "final", "output_tokens"], orient="row").cast(integers).write_parquet(
        path
    )
    return path


def overload(cell, worlds=3):
    """Write a cell.json beside the cell in which the offered load of every world is 1.2."""
    loads = [{"world": world, "offered_load": 1.2} for world in range(worlds)]
    (cell.parent / "cell.json").write_text(json.dumps({"worlds": loads}))


def written(table, out_stem, provenance=PROVENANCE, **inputs):
    table.write(
        **inputs, reference=REFERENCE, calibration=CALIBRATION, out_stem=out_stem, provenance=provenance
    )
    return out_stem.with_suffix(".csv"), out_stem.with_suffix(".md").read_text()


def lines_of(page, heading, caption):
    """Cells of the lines of one table of a page, without heading and ruler."""
    section = re.split(r"^## ", page, flags=re.M)
    body = next(part for part in section if part.startswith(heading)).split(f"**{caption}", 1)[1]
    lines = body.split("\n\n")[1].splitlines()
    return [[cell.strip() for cell in line[2:-2].replace("\u00a0", " ").split(" | ")] for line in lines[2:]]


def test_tables_hold_the_scorecards_own_rows(pressure, main_grid, chunks, tmp_path):
    """All but the column overload agree, text for text, though each table saw its own cells only."""
    collect([*pressure, *main_grid], tmp_path / "metrics.parquet")
    headrace.scorecard.write(
        tmp_path / "metrics.parquet",
        {"crawler": chunks},
        REFERENCE[0].parent,
        CALIBRATION,
        tmp_path / "scorecard.csv",
    )
    card = (tmp_path / "scorecard.csv").read_text().splitlines()[1:]
    inputs = {table3: {"cells": pressure}, table4: {"cells": pressure}, inline: {"cells": main_grid}}
    inputs[table2] = {"workloads": [chunks]}
    for table, files in inputs.items():
        name = table.__name__.rpartition(".")[2]
        csv, _ = written(table, tmp_path / name, **files)
        heading, *rows = csv.read_text().splitlines()
        cells = name != "table2"
        assert heading.split(",") == [*COLUMNS, *(["overload"] if cells else [])]
        expected = [line for line in card if line.startswith(f"{name},")]
        assert [row.rpartition(",")[0] if cells else row for row in rows] == expected
        assert len(rows) > 10


def test_the_same_cells_give_the_same_bytes(pressure, tmp_path):
    for name, cells in (("one", pressure), ("two", list(reversed(pressure)))):
        written(table3, tmp_path / name / "table3", cells=cells)
    for suffix in ("csv", "md"):
        files = [tmp_path / name / f"table3.{suffix}" for name in ("one", "two")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_table3_shows_ours_above_published(pressure, tmp_path):
    _, page = written(table3, tmp_path / "table3", cells=pressure)
    assert page.startswith("# Table 3: eviction rules under memory pressure\n\nSimulated; performance model")
    assert "crawler: 60 requests in each of 3 worlds." in page
    lines = lines_of(page, "crawler, waits x10, 4 QPS, h200-tp2", "Speedup over default_vllm, streaming")
    # of the same draws, twice as slow: a speedup of 2 in every world
    assert lines[0] == ["cost_published", "fcfs", "ours", *["2.00"] * 4]
    # 2 / 1.007, 2 / 2.477, ...: published to the left of our error; out of an interval of no width
    assert lines[1][2] == "published"
    assert [re.match(r"([\d.]+) \(([+-]\d+%)\) [↑↓]", cell)[2] for cell in lines[1][3:]]
    published = pl.read_csv(REFERENCE[0].parent / "ttft_speedups.csv").filter(
        setting="delay10_cost_based", policy="fcfs", baseline="default_vllm_streaming"
    )
    for cell, speedup in zip(lines[1][3:], published["speedup"], strict=True):
        assert float(cell.split()[0]) == pytest.approx(speedup, rel=0.005)
        assert f"({2 / speedup - 1:+.0%})" in cell
        assert cell.endswith("↓" if speedup < 2 else "↑")
    # our own rule has no published line
    assert ["cost_victim", "fcfs", "ours", *["2.00"] * 4] in lines
    assert lines[lines.index(["cost_victim", "fcfs", "ours", *["2.00"] * 4]) + 1][:2] == [
        "cost_victim",
        "lcas",
    ]


def test_table3_shows_the_seconds_of_both_baselines_only(pressure, tmp_path):
    csv, page = written(table3, tmp_path / "table3", cells=pressure)
    lines = lines_of(page, "crawler, waits x10", "TTFT (s)")
    shown = {line[1] for line in lines if line[2] == "ours"}
    assert shown == {"default_vllm, streaming", "default_vllm, non-streaming"}
    streaming = next(line for line in lines if line[1] == "default_vllm, streaming")
    assert re.fullmatch(r"0\.\d{3,4} \[0\.\d{3,4}\.\.0\.\d{3,4}\]", streaming[3])
    calibrated = next(line for line in lines if "‡" in line[5])
    assert calibrated[2] == "published" and "**‡**: calibrated" in page
    assert "fcfs" in set(pl.read_csv(csv).filter(quantity="ttft_p50_s")["policy"])


def test_overload_is_marked_on_a_run_and_on_what_it_is_the_baseline_of(pressure, tmp_path):
    overload(pressure[0])
    csv, page = written(table3, tmp_path / "table3", cells=pressure)
    table = pl.read_csv(csv, schema_overrides={"overload": pl.String}).filter(pl.col("overload") == "true")
    assert set(table["setting"]) == {"delay10_cost_published"}
    quantities = set(table["quantity"].str.extract(r"^(ttft|speedup_vs_(?:non_)?streaming)"))
    assert quantities == {"ttft", "speedup_vs_streaming"}
    assert set(table.filter(pl.col("quantity").str.starts_with("ttft"))["policy"]) == {"default_vllm"}
    lines = lines_of(page, "crawler, waits x10", "Speedup over default_vllm, streaming")
    assert [line[1] for line in lines if line[2] == "ours" and line[0] != ""] == [
        *("fcfs †", "lcas †", "mcps"),
        *("fcfs", "lcas"),
        *("fcfs", "lcas", "mcps"),
    ]
    assert "**†**: overload" in page


def test_without_overload_nobody_speaks_of_it(pressure, tmp_path):
    csv, page = written(table4, tmp_path / "table4", cells=pressure)
    assert "†" not in page
    table = pl.read_csv(csv, schema_overrides={"overload": pl.String})
    assert set(table.filter(pl.col("reproduced").is_not_null())["overload"]) == {"false"}
    assert table.filter(verdict="missing")["overload"].null_count() == (table["verdict"] == "missing").sum()


def test_table4_counts_preemptions_by_kind(pressure, tmp_path):
    _, page = written(table4, tmp_path / "table4", cells=pressure)
    lines = lines_of(page, "crawler, waits x10, 4 QPS", "Preemptions in one run")
    fcfs = next(line for line in lines if line[:2] == ["cost_published", "fcfs"])
    requests = pl.read_parquet(pressure[2]).group_by("world").agg(pl.col("^preemptions_.*$").sum())
    by_kind = [requests[f"preemptions_{how}"].median() for how in ("recompute", "swap")]
    assert [cell.split()[0] for cell in fcfs[4:6]] == [f"{value:.0f}" for value in by_kind]
    assert lines[lines.index(fcfs) + 1][3].startswith("1,575 (-9")
    default = next(line for line in lines if line[:2] == ["cost_published", "default_vllm"])
    assert lines[lines.index(default) + 1][3].split()[-1].startswith("‡")
    assert lines_of(page, "crawler, waits x10, 4 QPS", "Concurrent requests at preemption")[1][3] != "-"
    zeros = [line for line in lines if line[4:6] == ["2,448", "0 §"]]
    assert len(zeros) == 1 and "**§**: input" in page


def test_cells_that_are_not_there_are_dashes_and_counted(pressure, tmp_path):
    csv, page = written(table3, tmp_path / "table3", cells=pressure)
    missing = (pl.read_csv(csv)["verdict"] == "missing").sum()
    published = pl.read_csv(csv)["published"].count()
    assert missing and f"{missing} of {published} published numbers." in page
    lines = lines_of(page, "anns, waits x30, 2 QPS", "TTFT (s)")
    assert lines[0] == ["cost_published", "default_vllm, non-streaming", "ours", *["-"] * 4]
    assert lines[1][:3] == ["", "", "published"] and "-" not in lines[1]


def test_inline_has_a_section_per_workload_and_hardware(main_grid, tmp_path):
    _, page = written(inline, tmp_path / "inline", cells=main_grid)
    assert re.findall(r"^## (.*)", page, re.M) == [
        "How close",
        "crawler, h200-tp2",
        "anns, h200-tp2",
        "crawler, h100-tp2",
        "Every row",
    ]
    unpublished = lines_of(page, "crawler, h100-tp2", "TTFT (s)")
    assert [line[1:3] for line in unpublished] == [
        ["default_vllm, non-streaming", "ours"],
        ["default_vllm, streaming", "ours"],
        ["fcfs", "ours"],
        ["lcas", "ours"],
    ]
    seconds = lines_of(page, "crawler, h200-tp2", "TTFT (s)")
    assert [line[0] for line in seconds if line[0]] == ["0.5"] * 5 + ["1"] * 5 + ["2"] * 5 + ["4"] * 5


def test_the_two_ways_of_default_vllm_are_told_apart(fabricate, tmp_path):
    """ttft_seconds.csv, crawler at 4 QPS: P50 is 0.0722 s with streaming, 0.7521 s without."""
    cells = [fabricate(policy=policy, qps=4.0, stream=stream) for policy, stream in RUNS[:2]]
    _, page = written(inline, tmp_path / "inline", cells=cells)
    lines = lines_of(page, "crawler, h200-tp2", "TTFT (s)")
    published = {ours[1]: below[3] for ours, below in pairwise(lines) if ours[0] == "4"}
    assert published["default_vllm, streaming"].startswith("0.0722 ")
    assert published["default_vllm, non-streaming"].startswith("0.752 ")


def test_how_close_has_the_errors_of_ours_and_of_the_null(pressure, tmp_path):
    csv, page = written(table3, tmp_path / "table3", cells=pressure)
    line = next(line for line in page.splitlines() if re.match(r"\| seen +\| crawler +\| speedup ", line))
    rows = pl.read_csv(csv, infer_schema_length=None).filter(
        pl.col("quantity").str.starts_with("speedup"), pl.col("rel_error").is_not_null(), workload="crawler"
    )
    ours, null = rows["rel_error"].abs(), rows["null_error"].abs()
    shares = [ours.median(), ours.quantile(0.9, "linear"), null.median()]
    inside = f"{(rows['verdict'] == 'inside').sum()} of {rows.height}"
    assert [cell.strip() for cell in line.strip("|").split("|")][3:] == [
        str(rows.height),
        *map(percent, shares),
        inside,
    ]


def test_the_size_is_that_of_the_cell_with_most_worlds(fabricate, tmp_path):
    cells = [
        fabricate(policy=policy, qps=4.0, worlds=worlds, queries=queries)
        for policy, worlds, queries in (("default_vllm", 2, 50), ("fcfs", 4, 60), ("lcas", 3, 70))
    ]
    _, page = written(inline, tmp_path / "inline", cells=cells)
    assert "made-up. crawler: 60 requests in each of 4 worlds." in page


def test_one_world_of_run_logs_has_no_interval(fabricate, tmp_path):
    cells = [fabricate(policy=policy, qps=4.0, stream=stream, worlds=1) for policy, stream in RUNS]
    backend = tmp_path / "cells" / "backend=sim"
    backend.rename(backend.with_name("backend=published"))
    cells = [Path(str(cell).replace("backend=sim", "backend=published")) for cell in cells]
    for cell in cells:
        events = {"world": pl.Int32, "kind": pl.String, "concurrent_requests": pl.Int64}
        pl.DataFrame(schema=events).write_parquet(cell.with_name("events.parquet"))
    provenance = "read from the study's run logs; 36 of 40 runs are missing, see runs.csv"
    csv, page = written(inline, tmp_path / "inline", provenance, cells=cells)
    assert "36 of 40 runs are missing, see runs.csv. crawler: 60 requests.\n" in page
    assert "interval for one run" not in page and "**run logs**: what comes out" in page
    assert pl.read_csv(csv)["pi_low"].null_count() == pl.read_csv(csv).height
    lines = lines_of(page, "crawler, h200-tp2", "TTFT (s)")
    assert next(line for line in lines if line[:2] == ["4", "fcfs"])[2] == "run logs"


def test_table2_shows_workload_statistics(chunks, tmp_path):
    csv, page = written(table2, tmp_path / "table2", "read from traces: crawler", workloads=[chunks])
    assert "Read from traces: crawler. crawler: 100 queries in each of 2 worlds;" in page
    assert "published, crawler: 4,309 queries." in page
    tokens = lines_of(page, "Published beside ours", "Tokens per query")
    assert tokens[2] == ["crawler", "ours", *["500"] * 4]
    assert tokens[3][1:3] == ["published", "8,889 (-94%) §"]
    durations = lines_of(page, "Published beside ours", "Query duration (s)")
    assert durations[2] == ["crawler", "ours", *["3.00"] * 4]
    assert tokens[0] == ["anns", "ours", *["-"] * 4]
    assert "the median over worlds" in page and "**†**" not in page
    median = pl.read_csv(csv).filter(workload="crawler", quantity="query_duration_p50_s")
    assert median["reproduced"].to_list() == [3.0]


def test_names_and_provenance_are_escaped(pressure, tmp_path):
    _, page = written(table4, tmp_path / "table4", "simulated; performance model a|b_ *c*", cells=pressure)
    assert r"Simulated; performance model a\|b\_ \*c\*. crawler" in page


@pytest.mark.parametrize("table", [table3, table4, inline])
def test_no_cell_or_a_damaged_one_is_one_line_and_nothing_is_written(table, pressure, tmp_path):
    out = tmp_path / "out" / "table"
    other = Path(str(pressure[0]).replace("backend=sim", "backend=vllm"))
    other.parent.mkdir(parents=True)
    shutil.copy(pressure[0], other)
    absent = pressure[1].with_name("absent.parquet")
    faults = [([], "there is no cell"), ([*pressure, other], "sim, vllm"), ([absent], "no such file")]
    for cells, words in faults:
        with pytest.raises(HeadraceError, match=words) as error:
            written(table, out, cells=cells)
        assert "\n" not in str(error.value)
    pressure[1].write_bytes(b"PAR1 cut")
    with pytest.raises(HeadraceError, match="not a whole Parquet file"):
        written(table, out, cells=pressure)
    assert not out.parent.exists()


def test_cells_of_two_eviction_rules_are_not_mixed(fabricate, tmp_path):
    """Without a delay the scorecard has one setting for both: their worlds would be those of one cell."""
    cells = [fabricate(policy="fcfs", eviction=rule) for rule in ("cost_published", "swap")]
    with pytest.raises(HeadraceError, match=r"crawler at 1 QPS, fcfs.*: .* eviction cost_published and swap"):
        written(inline, tmp_path / "out" / "inline", cells=cells)
    assert not (tmp_path / "out").exists()


def test_faults_of_reference_and_calibration_are_named(pressure, chunks, tmp_path):
    out = tmp_path / "out" / "table"
    with pytest.raises(HeadraceError, match="no file of published numbers"):
        table3.write(pressure, [], CALIBRATION, out, PROVENANCE)
    folder = Path(shutil.copytree(REFERENCE[0].parent, tmp_path / "reference"))
    (folder / "preemptions.csv").unlink()
    with pytest.raises(HeadraceError, match=r"preemptions\.csv: no such file"):
        table4.write(pressure, sorted(folder.glob("*.csv")), CALIBRATION, out, PROVENANCE)
    with pytest.raises(HeadraceError, match=r"calibration\.calibrated\[0\]"):
        table2.write([chunks], REFERENCE, {"calibrated": [{"policy": "fcsf"}]}, out, PROVENANCE)
    with pytest.raises(HeadraceError, match="there is no workload"):
        table2.write([], REFERENCE, CALIBRATION, out, PROVENANCE)
    assert not out.parent.exists()
