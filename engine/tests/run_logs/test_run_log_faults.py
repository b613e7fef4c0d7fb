"""Every fault of a run, of a name or of the data set is told in runs.csv and on the terminal."""

import json

import polars as pl
import pytest
import yaml
from published_logs import run_folder

from headrace.errors import HeadraceError
from headrace.metrics.collect import metrics_of
from headrace.run_logs.names import named_axes

FCFS, LCAS = 2, 3


def row_of(found: pl.DataFrame, status: str) -> dict:
    """The one row of a status."""
    return found.filter(status=status).row(0, named=True)


def told(capsys, *words: str) -> str:
    """The one line of stderr that has all words, and the total at the end."""
    lines = capsys.readouterr().err.splitlines()
    assert sum(all(word in line for word in words) for line in lines[:-1]) == 1
    assert "see" in lines[-1]
    return lines[-1]


def drop(number_of_lines):
    return lambda lines: lines[:-number_of_lines]


def without(kind, query=7):
    return lambda lines: [line for line in lines if f",{kind},{query}," not in line]


def replaced(kind, column, text, query=7):
    """`text` in a column (from the left) of one query's event."""

    def change(lines):
        for line in lines:
            fields = line.split(",")
            if fields[1] == kind and fields[2] == str(query):
                fields[column] = text
            yield ",".join(fields)

    return change


def renamed(column):
    return lambda lines: [lines[0].replace(column, f"my_{column}"), *lines[1:]]


def twice(kind):
    def change(lines):
        for line in lines:
            yield line
            if f",{kind},7," in line:
                yield line

    return change


def in_minutes(lines):
    yield lines[0]
    for line in lines[1:]:
        time, rest = line.split(",", 1)
        yield f"{float(time) / 60!r},{rest}"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda lines: [*lines[:-1], lines[-1][:-9]], ["last line is cut"]),
        (lambda lines: [*lines[:50], lines[50][:12] + "\n", *lines[51:]], ["row 50", "no event_type"]),
        (lambda lines: [*lines[:50], lines[50][:-1] + ",x,y\n", *lines[51:]], ["not valid CSV"]),
        (lambda lines: [], ["column 'event_timestamp' is missing"]),
        (lambda lines: lines[:1], ["last line is cut, or there is none"]),
        (lambda lines: lines[1:], ["column 'event_timestamp' is missing"]),
        (drop(40), ["no replay_end, and", "of 30 queries have no query_ttft", "the log is cut short"]),
        (lambda lines: [lines[0], *lines[2:]], ["no replay_start"]),
        (lambda lines: [*lines, lines[1]], ["a second replay_start"]),
        (renamed("event_timestamp"), ["column 'event_timestamp' is missing"]),
        (renamed("duration_secs"), ["column 'duration_secs' is missing"]),
        (without("query_ttft"), ["1 of 30 queries have no query_ttft, query 7"]),
        (without("query_e2e_latency"), ["1 of 30 queries have no query_e2e_latency, query 7"]),
        (without("query_start"), ["query 7 has no query_start"]),
        (twice("query_start"), ["a second query_start of query 7"]),
        (twice("query_ttft"), ["a second query_ttft of query 7"]),
        (replaced("query_ttft", 0, "nan"), ["has no event_timestamp"]),
        (replaced("query_ttft", 0, "yesterday"), ["event_timestamp is 'yesterday'"]),
        (replaced("query_ttft", 0, "1760000000.0"), ["query 7 has its first token before it starts"]),
        (replaced("query_e2e_latency", 0, "1760000000.0"), ["query 7 ends before its first token"]),
        (replaced("query_start", 0, "1759999990.0", query=0), ["query 0 starts before replay_start"]),
        (replaced("query_e2e_latency", 0, "1760009999.0"), ["query 7 takes another time by event_timestamp"]),
        (replaced("query_ttft", 6, "-0.25"), ["duration_secs is '-0.25'"]),
        (replaced("query_ttft", 6, "nan"), ["query_ttft has no duration_secs"]),
        (replaced("query_ttft", 6, "inf"), ["duration_secs is 'inf'"]),
        (replaced("query_ttft", 6, "1e30"), ["duration_secs is '1e30'"]),
        (replaced("query_ttft", 6, "99999"), ["query 7 has a TTFT longer than the time since its start"]),
        (replaced("query_ttft", 4, "False"), ["column stream says 'false' and 'true'"]),
        (in_minutes, ["by event_timestamp", "by duration"]),
    ],
)
def test_a_damaged_log_is_named_and_its_cell_missing(data_set, capsys, change, words):
    data_set.edit(FCFS, change)
    found = data_set.read()
    damaged, missing = row_of(found, "unreadable"), row_of(found, "missing")
    assert damaged["folder"] == run_folder(data_set.expected[FCFS])
    assert damaged["problem"].startswith("run_metrics.csv")
    for word in words:
        assert word in damaged["problem"]
    assert str(data_set.root) not in damaged["problem"]
    assert (missing["policy"], missing["problem"]) == (
        "fcfs",
        f"no readable run; damaged: run_log/{damaged['folder']}",
    )
    assert found.height == 6
    assert not data_set.cell(FCFS).exists()
    assert "read 4 of 5 runs (1 missing, 1 unreadable)" in told(capsys, "unreadable", *words)


def test_a_damaged_run_is_not_blamed_for_the_cell_of_another(data_set):
    data_set.folder(LCAS).rename(data_set.root / "away")
    data_set.edit(FCFS, drop(40))
    problems = dict(data_set.read().filter(status="missing").select("policy", "problem").rows())
    assert problems["lcas"] == "no run"
    assert problems["fcfs"].endswith(run_folder(data_set.expected[FCFS]))


def test_a_missing_run_is_named(data_set, capsys):
    data_set.folder(LCAS).rename(data_set.root / "away")
    found = data_set.read()
    assert found["status"].to_list() == ["read"] * 3 + ["missing", "read"]
    missing = row_of(found, "missing")
    assert (missing["workload"], missing["policy"], missing["qps"]) == ("anns", "lcas", 2.0)
    total = told(capsys, "anns, h200-tp2, delay 1, cost_published, lcas, streaming, 2 QPS: missing: no run")
    assert total.startswith("read 4 of 5 runs (1 missing)")


@pytest.mark.parametrize(
    ("part", "name", "problem"),
    [
        (2, "fcsf", "unknown policy 'fcsf'; did you mean 'fcfs'?"),
        (1, "H200_enhanced_schedulers_v1_full_delay_10_both_only", "unknown configuration"),
        (1, "H200_enhanced_schedulers_v1_full_delay10", "unknown configuration"),
        (1, "B200_enhanced_schedulers_v1_full", "unknown hardware 'B200'; did you mean 'H200'?"),
        (0, "crawlers", "unknown workload 'crawlers'; did you mean 'crawler'?"),
        (
            1,
            "H200_enhanced_schedulers_v1_full_delay_20",
            "4 QPS is not in the grid at crawler, h200-tp2, delay 20",
        ),
    ],
)
def test_a_name_that_no_cell_has_is_named(data_set, capsys, part, name, problem):
    parts = run_folder(data_set.expected[FCFS]).split("/")
    parts[part] = name
    target = data_set.root / "data/run_log" / "/".join(parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    data_set.folder(FCFS).rename(target)
    found = data_set.read()
    unknown = row_of(found, "unknown")
    assert unknown["folder"] == "/".join(parts)
    assert problem in unknown["problem"]
    assert row_of(found, "missing")["problem"] == "no run"
    assert "1 unknown" in told(capsys, "unknown", problem)


@pytest.mark.parametrize(
    ("configuration", "delay", "eviction", "hardware"),
    [
        ("H200_enhanced_schedulers_v1_full", 1, "cost_published", "h200-tp2"),
        ("H100_enhanced_schedulers_v1_full", 1, "cost_published", "h100-tp2"),
        ("H200_enhanced_schedulers_v1_full_delay_10", 10, "cost_published", "h200-tp2"),
        ("H200_enhanced_schedulers_v1_full_delay_10_recomp_only", 10, "recompute", "h200-tp2"),
        ("H200_v2_500q_delay_30_swap_only", 30, "swap", "h200-tp2"),
    ],
)
def test_configurations_are_read_by_their_pattern(data_set, configuration, delay, eviction, hardware):
    axes = named_axes("here", ("anns", configuration, "mcps_lce", "2025"), data_set.expected)
    assert axes == {
        "backend": "published",
        "hardware": hardware,
        "workload": "anns",
        "delay": delay,
        "eviction": eviction,
        "policy": "mcps",
    }


def test_of_several_runs_the_newest_is_used(data_set, capsys):
    data_set.add(FCFS, date="2025-12-01")
    data_set.add(FCFS, date="2025-01-01")
    found = data_set.read()
    assert found.row(FCFS, named=True)["folder"].endswith("2025-12-01")
    others = found.filter(status="duplicate")
    dates = [folder.rpartition("/")[2] for folder in others["folder"]]
    assert dates == ["2025-01-01", "2025-10-16_streaming"]
    assert set(others["problem"]) == {f"run_log/{found.row(FCFS, named=True)['folder']} is used"}
    assert "read 5 of 5 runs (2 duplicate)" in told(capsys, "2025-01-01: duplicate", "2025-12-01 is used")


def test_dates_are_compared_by_their_numbers(data_set):
    data_set.add(FCFS, date="2026-9-30")
    data_set.add(FCFS, date="2026-10-02")
    assert data_set.read().row(FCFS, named=True)["folder"].endswith("2026-10-02")


def test_a_damaged_newest_run_gives_way_to_the_next(data_set, capsys):
    newest = data_set.add(FCFS, date="2025-12-01") / "run_metrics.csv"
    newest.write_bytes(newest.read_bytes()[:-30])
    found = data_set.read()
    assert found["status"].to_list() == ["read"] * 5 + ["unreadable"]
    assert found.row(FCFS, named=True)["folder"] == run_folder(data_set.expected[FCFS])
    assert "read 5 of 5 runs (1 unreadable)" in told(capsys, "2025-12-01: unreadable", "last line is cut")


def test_an_older_policy_name_counts_only_where_the_new_one_has_no_run(data_set, capsys):
    data_set.add(FCFS, date="2025-12-01", policy="fcfs_lru")
    data_set.folder(LCAS).rename(data_set.root / "away")
    data_set.add(LCAS, date="2025-01-01", policy="lcas_cplusp")
    found = data_set.read()
    assert found.row(FCFS, named=True)["folder"] == run_folder(data_set.expected[FCFS])
    assert row_of(found, "duplicate")["folder"].endswith("fcfs_lru/2025-12-01")
    lcas = found.row(LCAS, named=True)
    assert (lcas["status"], lcas["problem"]) == ("read", "lcas_cplusp is an older name of the policy")
    told(capsys, "lcas_cplusp/2025-01-01: read: lcas_cplusp is an older name")


@pytest.mark.parametrize(
    ("content", "status", "problem"),
    [
        (None, "unreadable", "holds no file config_*.yaml"),
        ("replay: {rate: 4}", "unreadable", "key replay.poisson_avg_arrival_time: is missing"),
        ("- 1", "unreadable", "key replay.poisson_avg_arrival_time: is missing"),
        ("replay: {poisson_avg_arrival_time: often}", "unreadable", "is 'often'"),
        ("replay: {poisson_avg_arrival_time: 0}", "unreadable", "is 0"),
        ("replay: {poisson_avg_arrival_time: .nan}", "unreadable", "is nan"),
        ("replay: {", "unreadable", "not valid YAML"),
        ("replay: {poisson_avg_arrival_time: 0.3}", "unknown", "3.33333 QPS is not in the grid"),
        ("replay: {poisson_avg_arrival_time: 0.25000001}", "read", ""),
        ("replay: {poisson_avg_arrival_time: 25e-2}", "read", ""),
        ("replay: {poisson_avg_arrival_time: 0.25001}", "unknown", "3.99984 QPS is not in the grid"),
        ("config: {replay: {poisson_avg_arrival_time: 0.25}, made: 2025-10-01}", "read", ""),
    ],
)
def test_the_rate_is_in_the_runs_own_configuration(data_set, content, status, problem):
    config = data_set.folder(FCFS) / "config_crawler.yaml"
    config.unlink()
    if content is not None:
        config.write_text(content)
    found = data_set.read()
    row = found.filter(folder=run_folder(data_set.expected[FCFS])).row(0, named=True)
    assert row["status"] == status
    assert problem in row["problem"]


def test_two_configurations_are_one_too_many(data_set):
    folder = data_set.folder(FCFS)
    (folder / "config_b.yaml").write_text((folder / "config_crawler.yaml").read_text())
    assert "holds 2 files config_*.yaml" in row_of(data_set.read(), "unreadable")["problem"]


def test_a_policy_that_the_study_did_not_run_so_is_unknown(data_set):
    text = data_set.log(FCFS).read_text()
    data_set.log(FCFS).write_text(text.replace(",True,", ",False,"))
    unknown = row_of(data_set.read(), "unknown")
    assert "the study has no non-streaming cell of fcfs there" in unknown["problem"]


def test_a_log_in_another_place_and_a_run_without_one_are_named(data_set):
    deeper = data_set.folder(FCFS) / "again"
    deeper.mkdir()
    data_set.log(FCFS).rename(deeper / "run_metrics.csv")
    found = data_set.read()
    assert row_of(found, "unknown")["folder"].endswith("/again")
    assert "run_metrics.csv: can't be read" in row_of(found, "unreadable")["problem"]


def test_a_hidden_folder_holds_no_run(data_set):
    hidden = data_set.root / "data/run_log/.cache" / run_folder(data_set.expected[FCFS])
    hidden.mkdir(parents=True)
    (data_set.root / "data/run_log/anns/.H200_v1/fcfs/2025").mkdir(parents=True)
    (hidden / "run_metrics.csv").write_text("")
    found = data_set.read()
    assert found["status"].to_list() == ["read"] * 5
    assert found["problem"].to_list() == [""] * 5


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda file, _: file.unlink(), "no such file"),
        (lambda file, _: file.write_text(file.read_text()[:-20]), "not valid JSON"),
        (lambda file, _: file.write_text("{}"), "is no JSON list"),
        (
            lambda file, entries: file.write_text(json.dumps(entries[:-1])),
            "1 of 30 queries are missing, query 29",
        ),
        (lambda file, entries: file.write_text(json.dumps([*entries, entries[0]])), "query 0 is there twice"),
        (
            lambda file, entries: file.write_text(json.dumps([{"query_id": 0}, *entries])),
            "entry 1: is not as published",
        ),
    ],
)
def test_unknown_invalidated_tokens_are_null_and_said(data_set, capsys, change, problem):
    file = data_set.folder(LCAS) / "collected_outputs_streaming.json"
    change(file, json.loads(file.read_text()))
    found = data_set.read()
    row = found.row(LCAS, named=True)
    assert row["status"] == "read"
    assert row["problem"].startswith("invalidated tokens are unknown: collected_outputs_streaming.json")
    assert problem in row["problem"]
    assert data_set.table(LCAS)["invalidated_tokens"].null_count() == 30
    quantities = metrics_of([data_set.cell(LCAS)], "test")["quantity"]
    assert not [name for name in quantities if name.startswith("invalidated")]
    told(capsys, "lcas", "invalidated tokens are unknown")


def test_preemptions_without_a_count_leave_concurrency_open(data_set):
    def uncounted(lines):
        for line in lines:
            fields = line.rstrip("\n").rsplit(",", 3)
            yield ",".join([fields[0], "", *fields[2:]]) + "\n" if "preempted_swap" in line else line

    data_set.edit(0, uncounted)
    problem = data_set.read().row(0, named=True)["problem"]
    assert problem.endswith("preemptions do not say how many requests were ongoing")
    quantities = set(metrics_of([data_set.cell(0)], "test")["quantity"])
    assert "preemptions_swap" in quantities
    assert not [name for name in quantities if name.startswith("concurrent")]


def test_without_events_the_metrics_say_so(data_set):
    data_set.read()
    (data_set.cell(0) / "events.parquet").unlink()
    with pytest.raises(HeadraceError, match=r"events\.parquet.*read the run logs again"):
        metrics_of([data_set.cell(0)], "test")


def test_nothing_is_written_when_no_run_can_be_read(data_set, capsys):
    for number in range(5):
        data_set.edit(number, drop(40))
    with pytest.raises(HeadraceError, match="holds no readable run of the study"):
        data_set.read()
    assert not data_set.runs.exists()
    assert not list(data_set.cells.parent.glob("*"))
    assert "read 0 of 5 runs (5 missing, 5 unreadable)" in capsys.readouterr().err


def test_a_failed_reading_leaves_the_cells_of_the_last_one(data_set):
    data_set.read()
    for number in range(5):
        data_set.edit(number, drop(40))
    with pytest.raises(HeadraceError):
        data_set.read()
    assert data_set.table(0).height == 30


def test_a_folder_without_run_logs_is_named(data_set):
    for folder, word in (("nowhere", "no such folder"), ("cells", "holds no run_log/")):
        data_set.root.joinpath("data").rename(data_set.root / "away")
        data_set.root.joinpath("data").symlink_to(data_set.root / folder)
        with pytest.raises(HeadraceError, match=word):
            data_set.read()
        data_set.root.joinpath("data").unlink()
        data_set.root.joinpath("away").rename(data_set.root / "data")


def test_config_content_is_kept_whatever_it_holds(data_set):
    config = {"replay": {"poisson_avg_arrival_time": 0.25}, 1: [None, float("nan"), True]}
    (data_set.folder(FCFS) / "config_crawler.yaml").write_text(yaml.safe_dump(config) + "made: 2025-10-01\n")
    data_set.read()
    content = json.loads((data_set.cell(FCFS) / "cell.json").read_text())["run"]["config"]["content"]
    assert content["1"] == [None, "nan", True]
    assert content["made"] == "2025-10-01"
