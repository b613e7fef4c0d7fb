"""Figures kept open for tests, instead of being written."""

import json
from pathlib import Path

import polars as pl
import pytest

from headrace.plots import cell_figure, side_by_side

FOLDER = Path(__file__).parents[3] / "data" / "reference" / "stream2llm"


@pytest.fixture(scope="session")
def reference():
    """The files of published numbers."""
    return sorted(FOLDER.glob("*.csv"))


@pytest.fixture
def kept(monkeypatch):
    """The figures that were drawn, in order; nothing is written."""
    figures = []

    def keep(figure, out_stem):
        figure.draw_without_rendering()
        figures.append(figure)

    for module in (cell_figure, side_by_side):
        monkeypatch.setattr(module, "save", keep)
    return figures


@pytest.fixture
def with_values():
    """Put values into columns of a made-up requests table, in its order (all worlds)."""

    def put(cell, **columns):
        values = [pl.Series(name, column, strict=False) for name, column in columns.items()]
        pl.read_parquet(cell).with_columns(values).write_parquet(cell)
        return cell

    return put


@pytest.fixture
def with_load():
    """Write the cell.json beside a requests table: one offered load for all worlds."""

    def put(cell, load, worlds=3):
        told = {"worlds": [{"world": world, "offered_load": load} for world in range(worlds)]}
        cell.with_name("cell.json").write_text(json.dumps(told))
        return cell

    return put


@pytest.fixture
def as_logs():
    """Move a made-up cell to where cells of run logs lie."""

    def move(cell):
        target = Path(str(cell).replace("backend=sim", "backend=published"))
        target.parent.mkdir(parents=True, exist_ok=True)
        return cell.rename(target)

    return move
