"""All run logs of a data set into the tables of cells, with what became of every run."""

import sys
import time
from pathlib import Path

import polars as pl

import headrace
from headrace.axes import Axes
from headrace.circumstances import circumstances
from headrace.errors import HeadraceError
from headrace.files import atomic_folder, write_json, write_parquet, write_text
from headrace.run_logs.events import Events, read_events, stream_of
from headrace.run_logs.folders import LAYOUT, LOG, RunFolder, locate, misplaced, run_folders
from headrace.run_logs.invalidated import invalidated_tokens
from headrace.run_logs.names import UnknownRunError, named_axes
from headrace.run_logs.rate import rate_of_grid, read_config
from headrace.run_logs.requests import events_table, queries_of, remarks, requests_table
from headrace.run_logs.summary import Row, cell_rows, key, lines, remark_sizes, to_csv
from headrace.study import cell_folder
from headrace.workload.progress import progress_bar


def read_run_logs(data: Path, expected: list[Axes], runs: Path, cells: Path, progress: bool = False) -> None:
    """Read the run logs in the folder `data` (`folders.locate`) into the folder `cells`; list them in `runs`.

    expected: the axes of the study's cells with backend `published`. Each gets a folder with
    requests.parquet, events.parquet, cell.json and run.json; one without a readable run gets none. `runs`
    is a CSV with a row per expected cell and per run that is none (`summary`); rows with a problem are told
    on stderr, and a total. Of several runs of one cell the newest readable one counts.

    Raises HeadraceError, and writes nothing, when no run of the study can be read.
    """
    started = time.perf_counter()
    root = locate(Path(data))
    folders = run_folders(root)
    by_cell: dict[tuple, Row] = {}
    others = [Row("unknown", folder=name, problem=f"expected {LAYOUT}") for name in misplaced(root)]
    with atomic_folder(cells) as new, progress_bar("run logs", len(folders), progress) as advance:
        for run in folders:
            row = _read(run, expected, by_cell, new)
            if row.status == "read":
                by_cell[key(row.axes)] = row
            else:
                others.append(row)
            advance()
        remark_sizes(by_cell.values())
        rows = [*cell_rows(expected, by_cell, others), *sorted(others, key=lambda row: row.folder)]
        for line in lines(rows, runs):
            print(line, file=sys.stderr)
        if not by_cell:
            raise HeadraceError(root, "holds no readable run of the study", "see the lines above")
        around = circumstances(started)
        for cell in new.rglob("cell.json"):
            write_json(cell.with_name("run.json"), around)
    write_text(runs, to_csv(rows))


def _read(run: RunFolder, expected: list[Axes], taken: dict[tuple, Row], cells: Path) -> Row:
    """Read one run and write its cell below `cells`, unless a run of `taken` has that cell."""
    axes: Axes = {}
    try:
        axes |= named_axes(run.path, run.parts, expected)
        config = read_config(run.path)
        axes["qps"] = rate_of_grid(run.path, config["gap_s"], axes, expected)
        stream = stream_of(run.path / LOG)
        if stream is not None:
            axes["stream"] = stream
            _check_expected(run, axes, expected)
            if key(axes) in taken:
                used = taken[key(axes)].folder
                return Row("duplicate", axes, run.name, problem=f"run_log/{used} is used")
        events = read_events(run.path / LOG)
        queries = queries_of(events)
    except UnknownRunError as error:
        return Row("unknown", axes, run.name, problem=_problem(run, error))
    except HeadraceError as error:
        return Row("unreadable", axes, run.name, problem=_problem(run, error))
    said = [f"{run.parts[2]} is an older name of the policy"] if run.older else []
    said += remarks(events, queries)
    invalidated = None
    try:
        invalidated = _invalidated(run, events, queries, axes["workload"])
    except HeadraceError as error:
        said.append(f"invalidated tokens are unknown: {_problem(run, error)}")
    out = cells.joinpath(*cell_folder(axes).split("/")[1:])
    write_parquet(out / "requests.parquet", requests_table(events, queries, invalidated))
    write_parquet(out / "events.parquet", events_table(events, queries))
    write_json(out / "cell.json", _cell(run, axes, config, events))
    return Row("read", axes, run.name, queries.height, "; ".join(said))


def _check_expected(run: RunFolder, axes: Axes, expected: list[Axes]) -> None:
    if key(axes) not in map(key, expected):
        how = "streaming" if axes["stream"] else "non-streaming"
        problem = f"the study has no {how} cell of {axes['policy']} there"
        raise UnknownRunError(run.path, problem, "see the study's policies")


def _invalidated(run: RunFolder, events: Events, queries: pl.DataFrame, workload: str) -> pl.DataFrame:
    """Per query; 0 where nothing that was handed over is replaced later: appends, and prompts sent whole."""
    if workload == "anns" and events.stream:
        return invalidated_tokens(run.path, queries.drop_nulls("ttft_s")["query"])
    return queries.select("query", invalidated_tokens=pl.lit(0))


def _cell(run: RunFolder, axes: Axes, config: dict, events: Events) -> dict:
    return {
        "spec": axes,
        "backend": "published",
        "version": headrace.__version__,
        "run": {"folder": f"run_log/{run.name}", "log_sha256": events.sha256, "config": config},
        "worlds": [{"world": 0, "end_s": events.table["time_s"].max()}],
    }


def _problem(run: RunFolder, error: HeadraceError) -> str:
    """The error's line, its place told from the run's folder on."""
    place = error.place.removeprefix(str(run.path)).lstrip("/: ")
    return f"{place}: {error.problem}; {error.remedy}".removeprefix(": ")
