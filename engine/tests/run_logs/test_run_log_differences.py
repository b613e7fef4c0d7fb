"""What a client may do otherwise without harm: such a log is read as the same log without it."""

import csv
import io
import json
import random

import polars as pl
import pytest

from headrace.metrics.collect import metrics_of

FCFS, LCAS = 2, 3
JUNK = ["soon", "query_cancelled", "7", "", "True", "", "-3", "x", "", "many", "", ""]


def fields(change):
    """A change of the rows of a log, each a dict by column; the header is that of the first."""

    def changed(text):
        rows = list(change(list(csv.DictReader(io.StringIO(text, newline="")))))
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), restval="")
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()

    return changed


def lines(change):
    return lambda text: "".join(change(text.splitlines(keepends=True)))


@fields
def shuffled(rows):
    random.Random(7).shuffle(rows)
    return rows


@fields
def ids_that_were_floats(rows):
    for row in rows:
        yield row | {"query_id": row["query_id"] and f"{row['query_id']}.0"}


@fields
def more_columns(rows):
    for number, row in enumerate(rows):
        yield {"": number, "row": "x", "time_s": "y"} | row | {"num_documents": 3}


@fields
def details_of_all_kinds(rows):
    for row, details in zip(rows, ['a "b", c', "two\nlines", "'", "é", ",,", '"'] * len(rows), strict=False):
        yield row | {"details": details}


@fields
def nothing_in_words(rows):
    for row, word in zip(rows, ["None", "nan", "NaN", "null", " "] * len(rows), strict=False):
        yield {column: value or word for column, value in row.items()}


@fields
def junk_that_no_table_shows(rows):
    for row in rows:
        if row["event_type"] in ("kv_on_gpu", "finished"):
            row |= {"duration_secs": "-0.001", "concurrent_requests": "99999999999"}
        yield row


@fields
def stream_said_late(rows):
    for number, row in enumerate(rows):
        yield row | {"stream": row["stream"] if number > 150 else ""}


@fields
def replay_ends_with_its_last_start(rows):
    last = max(row["event_timestamp"] for row in rows if row["event_type"] == "query_start")
    for row in rows:
        yield row | ({"event_timestamp": last} if row["event_type"] == "replay_end" else {})


@fields
def without_requests(rows):
    return [{column: value for column, value in row.items() if column != "request_id"} for row in rows]


def stamps(unit):
    @fields
    def change(rows):
        for row in rows:
            yield row | {"event_timestamp": repr(round(unit * float(row["event_timestamp"])))}

    return change


@pytest.mark.parametrize(
    "change",
    [
        shuffled,
        ids_that_were_floats,
        more_columns,
        details_of_all_kinds,
        nothing_in_words,
        junk_that_no_table_shows,
        stream_said_late,
        replay_ends_with_its_last_start,
        without_requests,
        stamps(1e3),
        stamps(1e6),
        lambda text: text.replace("\r\n", "\n"),
        lambda text: text.replace("\r\n", "\r\r\n"),
        lambda text: text.removesuffix("\r\n"),
        lambda text: "\ufeff" + text.replace("\r\n", "\r\n\r\n"),
        lambda text: text.replace(",True,", ",true,"),
        lines(lambda rows: [*rows[:20], ",".join(JUNK) + "\r\n", *rows[20:]]),
    ],
)
@pytest.mark.parametrize("number", [FCFS, LCAS])
def test_a_log_that_differs_without_harm_gives_the_same_tables(data_set, number, change):
    data_set.read()
    before = {name: data_set.table(number, name) for name in ("requests", "events")}
    text = data_set.log(number).read_bytes().decode()
    data_set.log(number).write_bytes(change(text).encode())
    assert data_set.log(number).read_bytes() != text.encode()
    found = data_set.read()
    assert found["status"].to_list() == ["read"] * 5
    assert found["problem"].to_list() == [""] * 5
    for name, table in before.items():
        keys = ["request_id", "kind", "time_s"] if name == "events" else ["request_id"]
        after = data_set.table(number, name).sort(keys)
        used = [column for column in table.columns if name == "requests" or column != "duration_s"]
        times = [column for column in used if column.endswith("_s")]
        counts = [column for column in used if column not in (*times, "concurrent_requests")]
        assert after.select(counts).equals(table.sort(keys).select(counts)), name
        for column in times:
            off = (after[column] - table.sort(keys)[column]).abs().max()
            assert (off or 0.0) < 2e-3, column
    assert not (after["duration_s"] < 0).any()
    preempted = pl.col("kind").str.starts_with("preempted_")
    both = (table.filter(preempted)["concurrent_requests"].sort() for table in (after, before["events"]))
    assert len({tuple(counts) for counts in both}) == 1


def test_queries_without_numbers_are_numbered_by_their_start_in_whatever_order(data_set):
    @fields
    def named_and_shuffled(rows):
        random.Random(7).shuffle(rows)
        for row in rows:
            yield row | {"query_id": row["query_id"] and f"query-{row['query_id']}"}

    data_set.log(FCFS).write_text(named_and_shuffled(data_set.log(FCFS).read_text()))
    assert data_set.read()["problem"].to_list() == [""] * 5
    table = data_set.table(FCFS)
    assert table["request_id"].to_list() == list(range(30))
    assert table["arrival_s"].is_sorted()


def test_a_query_opens_before_it_is_handed_over(data_set):
    @fields
    def oversleeping(rows):
        for row in rows:
            yield row | ({"duration_secs": "600"} if row["event_type"] == "query_sleep" else {})

    data_set.log(FCFS).write_text(oversleeping(data_set.log(FCFS).read_text()))
    data_set.read()
    table = data_set.table(FCFS)
    assert table["opened_s"].to_list() == table["handed_over_s"].to_list()


def test_stamps_in_whole_seconds_move_no_latency(data_set):
    log = data_set.log(FCFS)
    log.write_text(stamps_in_seconds(log.read_text()))
    assert data_set.read()["problem"].to_list() == [""] * 5
    made, table = data_set.requests[FCFS], data_set.table(FCFS)
    for column in ("ttft_s", "e2e_s"):
        assert (table[column] - made[column]).abs().max() < 1e-6
    assert (table["finished_s"] - made["finished_s"]).abs().max() < 1.0


@fields
def stamps_in_seconds(rows):
    for row in rows:
        yield row | {"event_timestamp": str(int(float(row["event_timestamp"])))}


def test_invalidated_tokens_find_ids_that_were_floats(data_set):
    file = data_set.folder(LCAS) / "collected_outputs_streaming.json"
    entries = json.loads(file.read_text())
    file.write_text(json.dumps([entry | {"query_id": float(entry["query_id"])} for entry in entries]))
    assert data_set.read()["problem"].to_list() == [""] * 5
    made = data_set.requests[LCAS]["invalidated_tokens"]
    assert data_set.table(LCAS)["invalidated_tokens"].to_list() == made.to_list()


def test_a_whole_log_without_its_end_is_read_and_said(data_set, capsys):
    data_set.edit(FCFS, lambda rows: rows[:-1])
    found = data_set.read()
    assert found["status"].to_list() == ["read"] * 5
    assert found["problem"][FCFS].startswith("no replay_end: the replay stopped")
    assert "read: no replay_end" in capsys.readouterr().err
    cell = json.loads((data_set.cell(FCFS) / "cell.json").read_text())
    assert cell["worlds"][0]["end_s"] == pytest.approx(data_set.requests[FCFS]["finished_s"].max())


@pytest.mark.parametrize("kinds", [("query_ttft", "query_e2e_latency"), ("query_ttft",)])
def test_few_queries_without_an_answer_are_refused_requests(data_set, fabricate, capsys, kinds):
    cell = {key: data_set.expected[LCAS][key] for key in ("workload", "policy", "qps")}
    requests = data_set.requests[LCAS] = pl.read_parquet(fabricate(worlds=1, queries=200, **cell))
    data_set.folder(LCAS).rename(data_set.root / "away")
    data_set.add(LCAS)
    data_set.edit(LCAS, lambda rows: [row for row in rows if not any(f",{kind},7," in row for kind in kinds)])
    outputs = data_set.folder(LCAS) / "collected_outputs_streaming.json"
    outputs.write_text(
        json.dumps([entry for entry in json.loads(outputs.read_text()) if entry["query_id"] != 7])
    )
    row = data_set.read().row(LCAS, named=True)
    assert (row["status"], row["requests"]) == ("read", 200)
    said = "1 of 200 queries were not answered, query 7 for one"
    assert row["problem"].startswith(said)
    assert said in capsys.readouterr().err
    table = data_set.table(LCAS)
    assert table["request_id"].to_list() == list(range(200))
    silent = table.row(7, named=True)
    for column in ("handed_over_s", "first_token_s", "ttft_s", "finished_s", "e2e_s"):
        assert silent[column] is None
    assert table["ttft_s"].null_count() == 1
    values = dict(metrics_of([data_set.cell(LCAS)], "test").select("quantity", "value").iter_rows())
    assert (values["requests"], values["refused"]) == (200, 1)
    others = requests.filter(pl.col("request_id") != 7)
    assert values["ttft_mean_s"] == pytest.approx(others["ttft_s"].mean())
    assert values["invalidated_mean_tokens"] == pytest.approx(others["invalidated_tokens"].mean())


def test_a_run_of_another_size_than_most_is_said(data_set, fabricate, capsys):
    made = data_set.requests[FCFS]
    data_set.requests[FCFS] = made.filter(pl.col("request_id") < 20)
    data_set.folder(FCFS).rename(data_set.root / "away")
    data_set.add(FCFS)
    found = data_set.read()
    assert found["problem"].to_list() == ["", "", "20 requests, most runs of crawler have 30", "", ""]
    assert "20 requests, most runs of crawler have 30" in capsys.readouterr().err


def test_without_a_column_of_counts_concurrency_is_open(data_set):
    data_set.edit(0, lambda rows: [rows[0].replace("concurrent_requests", "ongoing"), *rows[1:]])
    assert data_set.read()["problem"][0].endswith("preemptions do not say how many requests were ongoing")
    quantities = metrics_of([data_set.cell(0)], "test")["quantity"].to_list()
    assert "preemptions" in quantities
    assert not [name for name in quantities if name.startswith("concurrent")]
