"""The whole workflow on the smoke configuration, in a copy of the repository."""

import json
import re
from collections import Counter
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest
import repository_copy

SMOKE = ("--configfile", "config/smoke.yaml")
RESULTS = Path("results/smoke/stream2llm")
CELLS = 20
CELL_FIGURES = {f"stream2llm_fig{number}" for number in (5, 6, 7, 11, 12)}
SCORED_FIGURES = {"stream2llm_fidelity", "stream2llm_fidelity_errors"}
FIGURES = CELL_FIGURES | SCORED_FIGURES | {f"stream2llm_fig{number}" for number in (4, 8, 9, 10)}
FIGURES |= {"stream2llm_sensitivity"}
CELL_TABLES = {f"stream2llm_{name}" for name in ("table3", "table4", "inline")}
TIMED = "stream2llm_sched_latency"
TARGETS = "stream2llm_targets"
PARITY = "stream2llm_parity"
TABLES = CELL_TABLES | {"stream2llm_table2", TIMED, TARGETS, PARITY}
SENSITIVITY_TABLE = 1
VARIANTS = 7
"""Tables of runs beside the grid: draws, floor, parity, nothing moved and three assumptions."""


snakemake = partial(repository_copy.snakemake, together=True)


def planned(folder):
    """Rules that a dry run would run, with how often, and its whole output."""
    done = snakemake(folder, "--dry-run", *SMOKE)
    assert done.returncode == 0, done.stdout
    return Counter(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.M)), done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the repository in which the smoke configuration has run."""
    folder = repository_copy.copy_repository(tmp_path_factory.mktemp("headrace"))
    done = snakemake(folder, "--profile", "profiles/local", *SMOKE)
    assert done.returncode == 0, done.stdout
    jobs = len(list((folder / "results/smoke/logs").rglob("*.log")))
    assert len(done.stdout.splitlines()) < 2 * jobs + 10, "the terminal is not quiet"
    return folder


@pytest.fixture
def edit(copy):
    """Append a comment to a source file of the copy, until the test ends."""
    originals = {}

    def append(name):
        file = copy / name
        originals[file] = file.read_text()
        file.write_text(originals[file] + "\n# edited\n")

    yield append
    for file, text in originals.items():
        file.write_text(text)


def test_every_cell_has_its_tables(copy):
    folders = [path.parent for path in (copy / RESULTS).glob("cells/**/requests.parquet")]
    assert len(folders) == CELLS
    for folder in folders:
        assert {path.name for path in folder.iterdir()} == {"requests.parquet", "cell.json", "run.json"}
        cell = json.loads((folder / "cell.json").read_text())
        assert cell["spec"]["policy"] == folder.parents[1].name.removeprefix("policy=")
        assert len(cell["worlds"]) == 3
        requests = pl.read_parquet(folder / "requests.parquet")
        queries = {"crawler": 23, "anns": 40}[cell["spec"]["workload"]]
        assert requests.group_by("world").len()["len"].to_list() == [queries] * 3
        assert (requests["ttft_s"] > 0).all()


def test_memory_pressure_preempts(copy):
    pressure = pl.concat(map(pl.read_parquet, (copy / RESULTS).glob("cells/**/delay=30/**/requests.parquet")))
    assert pressure["preemptions_recompute"].sum() > 0
    assert pressure["preemptions_swap"].sum() > 0


def test_skipped_traces_are_counted(copy):
    counts = json.loads((copy / RESULTS / "workloads/crawler.traces.json").read_text())
    assert (counts["traces"], counts["queries"], len(counts["skipped"])) == (24, 23, 1)


def test_scorecard_figures_and_tables_are_there(copy):
    card = pl.read_csv(copy / RESULTS / "scorecard.csv", infer_schema_length=None)
    assert {"crawler", "anns"} <= set(card["workload"])
    for folder, targets, kinds in (
        ("figures", FIGURES, ("svg", "pdf", "png")),
        ("tables", TABLES, ("csv", "md")),
    ):
        for target in targets:
            for kind in kinds:
                file = copy / RESULTS / folder / f"{target.removeprefix('stream2llm_')}.{kind}"
                assert file.stat().st_size > 1000


def test_every_job_has_its_log(copy):
    logs = list((copy / "results/smoke/logs").rglob("*.log"))
    jobs = [*(copy / "results/smoke/benchmarks").rglob("*.tsv")]
    assert len(logs) == len(jobs) >= CELLS + len(FIGURES | TABLES) + 6
    assert not list((copy / RESULTS).rglob(".*")), "temporary files are left"


class Loads(HTMLParser):
    """What a browser would fetch for a page beside the page itself."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href", "data")]


def variable(page, name):
    """The value that a report's script gives to a variable."""
    start = re.search(rf'<script id="[a-z-]+">\s*var {name} = ', page).end()
    return json.JSONDecoder().raw_decode(page, start)[0]


def test_the_report_is_one_file_with_everything_in_it(copy):
    arguments = ("--profile", "profiles/local", *SMOKE, "--report", "results/smoke/report.html")
    done = snakemake(copy, *arguments)
    assert done.returncode == 0, done.stdout
    page = (copy / "results/smoke/report.html").read_text()
    assert Loads(page).found == []
    front_page = variable(page, "workflow_desc")
    for fact in ("Every number here is simulated", "config/smoke.yaml; SHA-256", "24 read, 1 skipped"):
        assert fact in front_page
    assert "<script" not in front_page
    shown = variable(page, "results")
    for target in FIGURES | TABLES:
        stem = target.removeprefix("stream2llm_")
        kind = "figures/{}.svg" if target in FIGURES else "tables/{}.html"
        result = shown[str(RESULTS / kind.format(stem))]
        assert len(result["caption"]) > 100
        assert result["data_uri"].startswith("data:")
    pages = {str(RESULTS / f"report/{name}.html") for name in ("front_page", "scorecard", "fidelity")}
    assert pages <= set(shown)


def test_a_report_of_what_is_not_there_is_refused(copy):
    figure = copy / RESULTS / "figures/fig6.svg"
    figure.rename(copy / "fig6.svg")
    done = snakemake(copy, *SMOKE, "--report", "results/smoke/other.html")
    (copy / "fig6.svg").rename(figure)
    assert done.returncode == 1
    assert "fig6.svg marked for report but does not exist" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (copy / "results/smoke/other.html").exists()


def test_a_second_run_does_nothing(copy):
    done = snakemake(copy, "--profile", "profiles/local", *SMOKE)
    assert done.returncode == 0
    assert "Nothing to be done" in done.stdout


def test_an_edit_to_a_figure_draws_that_figure_only(copy, edit):
    edit("engine/headrace/plots/fig6.py")
    rules, _ = planned(copy)
    assert rules == {"stream2llm_fig6": 1, "all": 1}


def test_an_edit_to_the_style_of_figures_draws_figures_only(copy, edit):
    edit("engine/headrace/plots/style.py")
    rules, _ = planned(copy)
    assert set(rules) == FIGURES | {"fidelity_page", "all"}


def test_an_edit_to_a_policy_serves_its_cells_only(copy, edit):
    edit("engine/headrace/scheduling/policies/lcas.py")
    rules, output = planned(copy)
    expected = CELL_FIGURES | CELL_TABLES | SCORED_FIGURES
    expected |= {
        TARGETS,
        PARITY,
        TIMED,
        "run_cell",
        "redraw",
        "floor",
        "parity",
        "metrics",
        "scorecard",
        "all",
    }
    assert {rule for rule in rules if not rule.endswith("_page")} == expected
    assert rules["run_cell"] == CELLS // 5
    assert set(re.findall(r"^    wildcards: .*policy=(\w+),", output, re.M)) == {"lcas"}


def test_an_edit_to_the_engine_serves_all_cells(copy, edit):
    edit("engine/headrace/sim/simulator.py")
    rules, _ = planned(copy)
    assert rules["run_cell"] == CELLS
    assert "generate_workload" not in rules


def test_an_edit_to_a_generator_serves_its_workload_only(copy, edit):
    edit("engine/headrace/workload/synthetic_anns.py")
    rules, output = planned(copy)
    assert rules["generate_workload"] == 1
    assert "tokenise_traces" not in rules
    assert set(re.findall(r"^    wildcards: .*hardware=.*workload=(\w+),", output, re.M)) == {"anns"}


def test_a_changed_parameter_serves_what_it_decides(copy):
    done = snakemake(copy, "--dry-run", *SMOKE, "--config", 'hardware={"h200-tp2": {"kv_blocks": 7900}}')
    rules = Counter(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.M))
    assert rules["run_cell"] == CELLS
    assert "generate_workload" not in rules


def test_a_smaller_workload_changes_what_shows_it(copy):
    done = snakemake(copy, "--dry-run", *SMOKE, "--config", 'workloads={"anns": {"queries": 39}}')
    rules = Counter(re.findall(r"^(?:local)?rule (\w+):", done.stdout, re.M))
    assert rules["run_cell"] == CELLS - 5
    assert {"stream2llm_fig6", "stream2llm_fig7"} & set(rules) == {"stream2llm_fig7"}
    assert not {"stream2llm_fig4", TIMED} & set(rules), "performance models and timings have no workload"


def test_two_runs_write_the_same_bytes(copy):
    done = snakemake(copy, *SMOKE, "--quiet", "all", "--config", "results=results/again")
    assert done.returncode == 0, done.stdout
    kinds = {".parquet", ".csv", ".svg", ".json"}
    first, again = copy / "results/smoke", copy / "results/again"
    files = [
        file.relative_to(first)
        for file in sorted((first / "stream2llm").rglob("*"))
        if file.suffix in kinds and file.name not in ("run.json", "sched_latency.csv")
    ]
    shown = len(FIGURES | TABLES - {TIMED}) + SENSITIVITY_TABLE
    assert len(files) == 2 * CELLS + shown + VARIANTS + 7
    different = [str(file) for file in files if (first / file).read_bytes() != (again / file).read_bytes()]
    assert different == []
