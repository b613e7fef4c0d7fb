from pathlib import Path

import polars as pl
import pytest

from headrace.axes import axes_of
from headrace.errors import HeadraceError
from headrace.metrics import collect, read_metrics


def test_axes_come_typed_from_the_folders(fabricate):
    path = fabricate(
        "anns", "default_vllm", 0.25, stream=False, delay=30, eviction="swap", hardware="h100-tp2"
    )
    assert axes_of(path) == {
        "backend": "sim",
        "hardware": "h100-tp2",
        "workload": "anns",
        "delay": 30,
        "eviction": "swap",
        "policy": "default_vllm",
        "stream": False,
        "qps": 0.25,
    }


def test_cells_become_one_sorted_table_twice_the_same(fabricate, tmp_path):
    cells = [fabricate(policy=policy, qps=qps) for policy in ("lcas", "fcfs") for qps in (4.0, 0.5)]
    collect(cells, tmp_path / "one.parquet")
    collect([cell.parent for cell in reversed(cells)], tmp_path / "two.parquet")
    assert (tmp_path / "one.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    table = read_metrics(tmp_path / "one.parquet")
    assert table.select("policy", "qps").unique().height == 4
    assert table["policy"].is_sorted()
    assert table.filter(quantity="published_gaps").group_by("world").agg(pl.col("value").max()).sort("world")[
        "value"
    ].to_list() == [1.0, 0.0, 0.0]


def one_line(error, *words):
    text = str(error.value)
    assert "\n" not in text
    for word in words:
        assert word in text


def damaged(path, change):
    change(pl.read_parquet(path)).write_parquet(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda table: table.drop("ttft_s"), ["misses column 'ttft_s'"]),
        (lambda table: table.clear(), ["holds no request"]),
        (lambda table: pl.concat([table, table.head(1)]), ["world 0, request 0", "twice"]),
        (lambda table: table.with_columns(arrival_s=pl.lit(float("nan"))), ["a value is missing"]),
        (lambda table: table.with_columns(finished_s=pl.lit(None, pl.Float64)), ["a value is missing"]),
        (lambda table: table.with_columns(e2e_s=pl.lit(float("inf"))), ["not finite"]),
        (lambda table: table.with_columns(ttft_s=-pl.col("ttft_s")), ["ttft_s is negative"]),
        (lambda table: table.with_columns(ttft_s=pl.lit("soon")), ["no table of requests", "ttft_s"]),
    ],
)
def test_a_bad_table_is_named(fabricate, tmp_path, change, words):
    path = fabricate()
    damaged(path, change)
    with pytest.raises(HeadraceError) as error:
        collect([path], tmp_path / "metrics.parquet")
    one_line(error, str(path), *words)
    assert not (tmp_path / "metrics.parquet").exists()


def test_a_truncated_table_is_named(fabricate, tmp_path):
    path = fabricate()
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(HeadraceError) as error:
        collect([path], tmp_path / "metrics.parquet")
    one_line(error, str(path), "not a whole Parquet file")


def test_a_missing_table_is_named(fabricate, tmp_path):
    path = fabricate()
    path.unlink()
    with pytest.raises(HeadraceError) as error:
        collect([path], tmp_path / "metrics.parquet")
    one_line(error, str(path), "no such file")


def test_no_cell_at_all(tmp_path):
    with pytest.raises(HeadraceError) as error:
        collect([], tmp_path / "metrics.parquet")
    one_line(error, "no cell")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("policy=fcfs", "policy", ["'policy'", "should give policy"]),
        ("policy=fcfs", "stream=fcfs", ["should give policy"]),
        ("qps=1.0", "qps=fast", ["'qps=fast'", "a number"]),
        ("stream=true", "stream=yes", ["'stream=yes'", "true or false"]),
    ],
)
def test_a_folder_that_is_no_axis_is_named(fabricate, old, new, words):
    path = fabricate(policy="fcfs")
    with pytest.raises(HeadraceError) as error:
        axes_of(Path(str(path).replace(old, new)))
    one_line(error, *words)


def test_a_file_outside_a_cell_is_named():
    with pytest.raises(HeadraceError) as error:
        axes_of(Path("requests.parquet"))
    one_line(error, "outside a cell's folders")


@pytest.mark.parametrize("content", [b"", b"PAR1 cut"])
def test_metrics_cut_short_are_named(tmp_path, content):
    path = tmp_path / "metrics.parquet"
    path.write_bytes(content)
    with pytest.raises(HeadraceError) as error:
        read_metrics(path)
    one_line(error, str(path))


def test_metrics_of_another_shape_are_named(tmp_path):
    path = tmp_path / "metrics.parquet"
    pl.DataFrame({"quantity": ["ttft_p50_s"]}).write_parquet(path)
    with pytest.raises(HeadraceError) as error:
        read_metrics(path)
    one_line(error, str(path), "column")
    with pytest.raises(HeadraceError) as error:
        read_metrics(tmp_path / "absent.parquet")
    one_line(error, "no such file")
