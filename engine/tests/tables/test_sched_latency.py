import csv
import shutil
from pathlib import Path

import pytest

from headrace.errors import HeadraceError
from headrace.tables import latencies, sched_latency

REFERENCE = sorted((Path(__file__).parents[3] / "data" / "reference" / "stream2llm").glob("*.csv"))
PROVENANCE = "timed, not simulated, on the machine that made this table"
STATISTICS = ("mean_us", "p50_us", "p95_us", "p99_us")


def written(out_stem, **changes):
    options = {"policies": ["default_vllm", "lcas"], "token_budgets": {"crawler": 2048, "anns": 8192}}
    options |= {"reference": REFERENCE, "passes": 20, "provenance": PROVENANCE} | changes
    sched_latency.write(**options, out_stem=out_stem)
    with out_stem.with_suffix(".csv").open() as file:
        return list(csv.DictReader(file)), out_stem.with_suffix(".md").read_text()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return written(tmp_path_factory.mktemp("tables") / "sched_latency")


def test_every_form_of_every_policy_is_timed_at_the_published_lengths(table):
    rows, _ = table
    assert tuple(rows[0]) == sched_latency.COLUMNS
    here = [row for row in rows if row["form"] != "published"]
    lengths = ["10", "25", "50", "100", "200", "500"]
    for workload, budget in (("crawler", "2048"), ("anns", "8192")):
        for policy, forms in (
            ("default_vllm", ["amortised"]),
            ("lcas", ["amortised", "from_scratch", "published_shape"]),
        ):
            found = [row for row in here if (row["workload"], row["policy"]) == (workload, policy)]
            assert [row["queue_size"] for row in found[:: len(forms)]] == lengths
            assert [row["form"] for row in found] == forms * len(lengths)
            assert {row["token_budget"] for row in found} == {budget}
            assert all(1 <= int(row["passes"]) <= 20 for row in found)
    for row in here:
        mean, p50, p95, p99 = (float(row[column]) for column in STATISTICS)
        assert 0 < p50 <= p95 <= p99 and mean > 0
        assert "Python" in row["machine"]


def test_statistics_are_those_of_the_passes_that_count(monkeypatch):
    times_us = [float(place) for place in range(1, 101)] + [1000.0]
    monkeypatch.setattr(latencies, "timed", lambda *run: times_us)
    (row,) = latencies.time_passes(["default_vllm"], {"anns": 8192}, [10], 200)
    assert row.passes == 101
    expected = {"mean_us": 6050 / 101, "p50_us": 51, "p95_us": 96, "p99_us": 100}
    assert row.microseconds == pytest.approx(expected)


def test_the_page_has_medians_by_length_and_all_statistics_of_the_longest_queue(monkeypatch, tmp_path):
    monkeypatch.setattr(latencies, "timed", lambda form, policy, workload, budget, size, passes: [size, size])
    _, page = written(tmp_path / "sched_latency", policies=["default_vllm"])
    lines = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.splitlines()
        if line.startswith("| default_vllm ")
    ]
    assert lines[0][2:] == ["10.0", "25.0", "50.0", "100", "200", "500"]
    assert lines[1][2:] == ["500"] * 4


def test_published_numbers_stand_beside_ours_as_they_are(table):
    rows, page = table
    published = {
        (row["workload"], row["policy"], row["queue_size"]): [float(row[column]) for column in STATISTICS]
        for row in rows
        if row["form"] == row["machine"] == "published"
    }
    with (REFERENCE[0].parent / "scheduler_latency_us.csv").open() as file:
        reference = list(csv.DictReader(file))
    assert len(published) == len(reference) == 48
    for row in reference:
        key = row["workload"], row["policy"], row["queue_size"]
        assert published[key] == [float(row[column]) for column in STATISTICS]
    assert not any("error" in column for column in sched_latency.COLUMNS)
    assert page.count("%") == 0


def test_the_page_names_the_machine_and_says_that_it_is_a_timing(table):
    rows, page = table
    assert f"Timed, not simulated, on the machine that made this table: {rows[0]['machine']}." in page
    assert "they differ from run to run" in " ".join(page.split())
    assert "## crawler, 2,048 tokens per step" in page and "## anns, 8,192 tokens per step" in page
    # a policy that was not timed still shows what was published
    assert page.count("| mcps ") == 4
    line = next(line for line in page.splitlines() if line.startswith("| fcfs "))
    assert [cell.strip() for cell in line.strip("|").split("|")] == [
        *("fcfs", "published"),
        *("4.14", "8.40", "15.9", "31.1", "59.9", "151"),
    ]


def test_bad_options_are_one_line_and_nothing_is_written(tmp_path):
    out = tmp_path / "out" / "sched_latency"
    faults = [
        ({"passes": 0}, "passes: is 0"),
        ({"token_budgets": {"anss": 8192}}, "did you mean 'anns'"),
        ({"policies": ["lcsa"]}, "did you mean 'lcas'"),
        ({"reference": []}, "no file of published numbers"),
    ]
    for change, words in faults:
        with pytest.raises(HeadraceError) as error:
            written(out, **change)
        assert words in str(error.value) and "\n" not in str(error.value)
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("10,1.02", "10.5,1.02"), "line 2: queue_size is 10.5"),
        (("crawler,fcfs,10,", "crawler,fcsf,10,"), "line 3: unknown policy 'fcsf'; did you mean 'fcfs'?"),
        (("p99_us", "p999_us"), "misses column 'p99_us'"),
        ((",4.22,", ",-4.22,"), "line 3: mean_us is '-4.22'"),
    ],
)
def test_a_fault_in_the_published_table_is_named(tmp_path, change, words):
    folder = Path(shutil.copytree(REFERENCE[0].parent, tmp_path / "reference"))
    file = folder / "scheduler_latency_us.csv"
    file.write_text(file.read_text().replace(*change, 1))
    with pytest.raises(HeadraceError) as error:
        written(tmp_path / "sched_latency", reference=sorted(folder.glob("*.csv")))
    assert words in str(error.value)
