"""What a fit may look at, and what it serves for it."""

from pathlib import Path

import polars as pl
import pytest

from headrace.calibration.rows import calibrated_rows, cells_of
from headrace.errors import HeadraceError
from headrace.scorecard.reference import KEYS, read_reference
from headrace.scorecard.roles import assign


@pytest.fixture
def published(config):
    return read_reference(Path("data/reference/stream2llm"))


@pytest.fixture
def calibration(config):
    return config["calibration"]["stream2llm"]


def test_the_rows_are_seconds_and_preemptions_of_the_declared_set(published, calibration):
    rows = calibrated_rows(published, calibration)
    assert rows.columns == [*KEYS, "published"]
    # 2 workloads x 2 rates x streaming or not x 4 percentiles, and two numbers under pressure
    assert rows.height == 2 * 2 * 2 * 4 + 2
    assert set(rows["policy"]) == {"default_vllm"}
    assert set(rows["hardware"]) == {"h200-tp2"}
    assert set(rows["quantity"]) == {f"ttft_p{p}_s" for p in ("50", "95", "99", "99.9")} | {"preemptions"}


def test_rows_of_other_roles_do_not_pass_whatever_they_say(published, calibration):
    marked = assign(published, calibration)
    poison = pl.when(marked["role"] == "calibrated").then(pl.col("published")).otherwise(12345.678)
    poisoned = published.with_columns(published=poison)
    assert not poisoned.equals(published)
    assert calibrated_rows(poisoned, calibration).equals(calibrated_rows(published, calibration))


def test_a_calibrated_row_that_changes_shows(published, calibration):
    doubled = published.with_columns(pl.col("published") * 2)
    assert not calibrated_rows(doubled, calibration).equals(calibrated_rows(published, calibration))


def test_an_excluded_row_is_not_compared(published, calibration):
    fewer = calibration | {"excluded": [{"setting": "main", "qps": 0.5, "hardware": "h200-tp2"}]}
    rows = calibrated_rows(published, fewer)
    assert rows.filter(pl.col("qps") == 0.5).is_empty()
    assert rows.height == 34 - 8 - 0  # crawler at 0.5 QPS; anns has no calibrated row there


def test_a_set_without_latencies_is_refused(published):
    selector = {"artifact": "table4", "quantity": "swap_share", "policy": "default_vllm"}
    selector["quantity"] = "preemptions_swap"
    with pytest.raises(HeadraceError, match=r"calibration.calibrated: selects no TTFT and no count"):
        calibrated_rows(published, {"calibrated": [selector]})


def test_the_cells_are_those_of_the_rows(published, calibration, config):
    cells = cells_of(calibrated_rows(published, calibration), config, "stream2llm")
    main = {(cell["workload"], cell["qps"], cell["stream"]) for cell in cells if cell["delay"] == 1}
    rates = {("crawler", 0.5), ("crawler", 4.0), ("anns", 0.25), ("anns", 2.0)}
    assert main == {(*rate, stream) for rate in rates for stream in (True, False)}
    (pressure,) = [cell for cell in cells if cell["delay"] > 1]
    assert (pressure["workload"], pressure["delay"], pressure["eviction"]) == (
        "crawler",
        10,
        "cost_published",
    )
    assert {cell["backend"] for cell in cells} == {"sim"}
    assert "setting" not in pressure


def test_a_row_without_a_cell_in_the_grid_is_one_line(published, calibration, config):
    config["studies"]["stream2llm"]["grid"]["delay"]["settings"] = []
    rows = calibrated_rows(published, calibration)
    line = (
        r"studies.stream2llm.grid: has no cell h200-tp2 crawler delay10_cost_published 4.0 default_vllm True"
    )
    with pytest.raises(HeadraceError, match=line):
        cells_of(rows, config, "stream2llm")
