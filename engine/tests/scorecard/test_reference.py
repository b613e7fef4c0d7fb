import shutil
from pathlib import Path

import polars as pl
import pytest

from headrace.errors import HeadraceError
from headrace.scorecard.reference import SCHEMA, read_reference

PUBLISHED = Path(__file__).parents[3] / "data" / "reference" / "stream2llm"


@pytest.fixture(scope="module")
def published():
    return read_reference(PUBLISHED)


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(PUBLISHED, tmp_path / "reference"))


def value(published, **keys):
    found = published.filter(**keys)
    assert found.height == 1
    return found["published"][0]


def test_every_published_number_is_there_once(published):
    assert dict(published.schema) == SCHEMA
    assert not published.drop("published").is_duplicated().any()
    counts = dict(published.group_by("artifact").len().rows())
    # per run: 2 baselines x 4 percentiles, and 3 policies x (4 times + 8 speedups)
    assert counts["inline"] == 8 * (8 + 3 * 12)
    assert counts["table3"] == 4 * (8 + 3 * 12)
    assert counts["table4"] == 16 * 7
    assert counts["fig12"] == 36
    assert counts["table2"] == 16
    # gaps, chunks and durations of the queries: also standard deviation and extremes, where published
    assert counts["fig8-10"] == 2 * (10 + 4 + 4)


def test_names_and_settings_are_ours(published):
    assert published["hardware"].drop_nulls().unique().to_list() == ["h200-tp2"]
    assert set(published["setting"].drop_nulls()) == {
        "main",
        "delay10_cost_published",
        "delay10_recompute",
        "delay30_cost_published",
        "delay30_recompute",
    }


def test_a_policys_seconds_are_the_baselines_over_its_speedup(published):
    cell = {"workload": "crawler", "setting": "main", "qps": 4.0, "stream": True}
    assert value(published, policy="default_vllm", quantity="ttft_p95_s", **cell) == 1.9569
    assert value(published, policy="fcfs", quantity="speedup_vs_streaming_p95", **cell) == 3.160
    assert value(published, policy="fcfs", quantity="speedup_vs_non_streaming_p95", **cell) == 7.012
    assert value(published, policy="fcfs", quantity="ttft_p95_s", **cell) == pytest.approx(1.9569 / 3.160)


def test_preemptions_get_their_rate_and_share(published):
    cell = {"artifact": "table4", "setting": "delay10_cost_published", "policy": "fcfs", "qps": 4.0}
    assert value(published, quantity="preemptions", **cell) == 1575
    assert value(published, quantity="swap_share", **cell) == pytest.approx(335 / 1575)


def test_milliseconds_become_seconds(published):
    gaps = {"artifact": "fig8-10", "workload": "crawler"}
    assert value(published, quantity="inter_chunk_time_p50_s", **gaps) == pytest.approx(0.70067)
    assert value(published, quantity="chunks_per_query_mean", **gaps) == 7.86
    stats = {"artifact": "table2", "workload": "anns"}
    assert value(published, quantity="query_duration_p50_s", **stats) == 3.896
    assert value(published, quantity="total_tokens_per_query_p95", **stats) == 30618


def test_a_run_with_nothing_preempted_has_no_share(folder):
    edit(
        folder / "preemptions.csv",
        "anns,delay30_cost_based,mcps,237,237,0",
        "anns,delay30_cost_based,mcps,0,0,0",
    )
    found = read_reference(folder).filter(policy="mcps", setting="delay30_cost_published")
    assert found.filter(quantity="preemptions")["published"].to_list() == [0.0]
    assert found.filter(pl.col("quantity") == "swap_share").is_empty()


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("ttft_seconds.csv", "percentile,ttft_s", "percentile,ttft", ["misses column 'ttft_s'"]),
        ("ttft_seconds.csv", "hardware,", "hardware,notes,", ["unknown column 'notes'"]),
        (
            "ttft_seconds.csv",
            "default_vllm,true,p50,0.0298",
            "default_vlm,true,p50,0.0298",
            ["line 2", "'default_vllm'"],
        ),
        ("ttft_seconds.csv", "p50,0.0298", "p50,nan", ["line 2", "ttft_s is 'nan'", "above 0"]),
        ("ttft_seconds.csv", "p50,0.0298", "p50,-0.0298", ["line 2", "ttft_s is '-0.0298'"]),
        ("ttft_seconds.csv", "p50,0.0298", "p50,soon", ["line 2", "ttft_s is 'soon'"]),
        ("ttft_seconds.csv", "true,p95,0.2185", "true,p50,0.2185", ["line 3", "same row as line 2"]),
        ("ttft_seconds.csv", "true,p95,0.2185", "yes,p95,0.2185", ["line 3", "unknown stream 'yes'"]),
        (
            "ttft_seconds.csv",
            "H200,crawler,main,0.5,default_vllm,true,p99,0.6234\n",
            "",
            ["p99 of", "is missing"],
        ),
        (
            "ttft_speedups.csv",
            "H200,crawler,main",
            "B200,crawler,main",
            ["line 2", "unknown hardware 'B200'"],
        ),
        ("ttft_speedups.csv", "crawler,main,0.5,fcfs", "crawler,main,8,fcfs", ["line 2", "ttft_seconds.csv"]),
        ("ttft_speedups.csv", "default_vllm_streaming", "vllm", ["line 2", "unknown baseline 'vllm'"]),
        ("preemptions.csv", "delay10_cost_based", "delay10_cost", ["line 2", "'delay10_cost_based'"]),
        (
            "preemptions.csv",
            "1735,1445,290",
            "1735,1445,29",
            ["line 2", "1735 preemptions are not 1445 + 29"],
        ),
        ("preemptions.csv", "1735,1445,290", "1735,,290", ["line 2", "recompute is ''"]),
        ("tokens_invalidated_ratio.csv", "0.25,fcfs,1.014", "0.25,fcfs,0", ["line 2", "p50_ratio is '0'"]),
        ("workload_stats.csv", "anns,total", "ann,total", ["line 2", "unknown workload 'ann'"]),
        (
            "chunk_arrivals.csv",
            "anns,inter_chunk_time,ms",
            "anns,inter_chunk_time,hours",
            ["line 2", "hours"],
        ),
    ],
)
def test_a_fault_is_named_with_its_line(folder, file, old, new, words):
    edit(folder / file, old, new)
    with pytest.raises(HeadraceError) as error:
        read_reference(folder)
    text = str(error.value)
    assert "\n" not in text
    assert str(folder / file) in text
    for word in words:
        assert word in text


@pytest.mark.parametrize("file", ["ttft_seconds.csv", "preemptions.csv", "workload_stats.csv"])
def test_a_file_cut_short_is_named(folder, file):
    path = folder / file
    path.write_text(path.read_text()[:-12])
    with pytest.raises(HeadraceError, match=r"line \d+: has \d+ of \d+ fields"):
        read_reference(folder)


@pytest.mark.parametrize(("content", "words"), [(b"", "misses column"), (b"\xff\xfe\x00", "can't be read")])
def test_an_empty_or_unreadable_file_is_named(folder, content, words):
    (folder / "ttft_seconds.csv").write_bytes(content)
    with pytest.raises(HeadraceError, match=words):
        read_reference(folder)


def test_a_file_with_a_header_only_is_named(folder):
    path = folder / "tokens_invalidated_ratio.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    with pytest.raises(HeadraceError, match="holds no row"):
        read_reference(folder)


def test_a_missing_file_is_named(folder):
    (folder / "preemptions.csv").unlink()
    with pytest.raises(HeadraceError, match=r"preemptions\.csv: no such file"):
        read_reference(folder)
