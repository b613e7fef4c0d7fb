"""The table of targets, the figures and the page, from a made-up scorecard."""

import csv
import json
import re
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from headrace.cli import main
from headrace.errors import HeadraceError
from headrace.fidelity import floor as floors
from headrace.fidelity import parity as parities
from headrace.fidelity.page import Sources, write_page
from headrace.plots import fidelity, fidelity_errors
from headrace.report import write_fidelity_page
from headrace.scorecard.reference import KEYS
from headrace.scorecard.score import to_csv
from headrace.tables import targets as table

REFERENCE = Path(__file__).parents[3] / "data/reference/stream2llm"
PROVENANCE = "simulated; performance model h200-tp2.made-up"
EXPLANATIONS = [{"select": {"policy": "lcas"}, "why": "A burst | at <noon>."}]


@pytest.fixture
def scorecard(card, row, tmp_path):
    """Crawler at 1 QPS and under pressure: fcfs 5 % off, lcas 45 %, a calibrated row 20 %."""
    pressure = {"artifact": "table4", "setting": "delay10_recompute", "qps": 4.0, "quantity": "preemptions"}
    rows = [
        row(2.0, 2.1, interval=(1.8, 2.4), null_error=-0.5),
        row(2.0, 2.9, policy="lcas", interval=(2.5, 3.1), null_error=-0.5),
        row(1.0, 1.2, policy="default_vllm", role="calibrated", interval=(0.9, 1.5)),
        row(1000.0, 400.0, interval=(300.0, 500.0), **pressure),
        row(1.0, 1.0, role="input", artifact="table2", quantity="query_duration_p50_s", setting=None),
    ]
    path = tmp_path / "scorecard.csv"
    path.write_text(to_csv(card(*rows)))
    return path


@pytest.fixture
def floor(row, tmp_path):
    keys = {key: row()[key] for key in KEYS}
    rows = [keys | {"draw": draw, "error": error} for draw, error in ((1, 0.02), (2, -0.04))]
    path = tmp_path / "floor.csv"
    pl.DataFrame(rows, schema=floors.SCHEMA).write_csv(path)
    return path


@pytest.fixture
def parity(tmp_path):
    path = tmp_path / "parity.csv"
    rows = [("crawler", "fcfs", True, 0, 0.991, 0.999), ("anns", "fcfs", True, 0, 0.9, 0.99)]
    pl.DataFrame(rows, schema=parities.COLUMNS, orient="row").write_csv(path)
    return path


@pytest.fixture
def fit(tmp_path):
    path = tmp_path / "fit.json"
    errors = {"median_before": 0.3, "median_after": 0.031, "p90_before": 0.5, "p90_after": 0.12}
    value = {"start": 0.001, "low": 0.0, "high": 0.01, "fitted": 0.004321}
    document = {
        "summary": {"crawler": {"rows": 18} | errors},
        "parameters": {
            "hardware/h200-tp2/overheads/step_s": value,
            "hardware/h200-tp2/kv_blocks": {"start": 104286, "low": 9e4, "high": 1.1e5, "fitted": 101604},
        },
        "loss": {"before": {"loss": 0.9}, "after": {"loss": 0.123}},
    }
    path.write_text(json.dumps(document))
    return path


@pytest.fixture
def whole(scorecard, floor, parity, fit, tmp_path):
    tried = tmp_path / "tried.md"
    tried.write_text("# What was tried\n\nNewest first.\n\n## A finding\n\nIt cost 3 %.\n")
    links = {name: f"../figures/{name}.svg" for name in ("fidelity", "fidelity_errors")}
    return Sources(scorecard, REFERENCE, floor, parity, fit, tried, links)


def written(sources, tmp_path, explanations=EXPLANATIONS):
    out = tmp_path / "page" / "fidelity.md"
    write_page(sources, explanations, PROVENANCE, out)
    return out.read_text()


def lines_of(page, *words):
    return [line for line in page.splitlines() if all(word in line for word in words)]


def test_numbers_of_the_page_are_those_of_the_scorecard(whole, tmp_path):
    page = written(whole, tmp_path)
    (median,) = lines_of(page, "median of", "at most")[:1]
    # fcfs 5 %, lcas 45 %: median 25 %; null 50 %; draws 2 % and 4 % of the one row that both have
    assert [cell.strip() for cell in median.split("|")[-7:-1]] == [
        *("crawler", "**missed**", "25%", "at most 8.0%", "50%", "3.0% [2.0%..4.0%]"),
    ]
    (seen,) = lines_of(page, "inline", "TTFT P50 P95 P99", "50%")
    assert [cell.strip() for cell in seen.strip("| ").split("|")] == [
        *("crawler", "inline", "TTFT P50 P95 P99", "2", "25%", "41%", "50%", "50%", "3.0%", "50%"),
    ]
    calibrated = lines_of(page, "inline", "TTFT P50 P95 P99", " 20% ")
    assert len(calibrated) == 1
    (worst,) = lines_of(page, "main, 1 QPS, lcas", "`ttft_p50_s`")
    assert [cell.strip() for cell in worst.strip("| ").split("|")] == [
        *("main, 1 QPS, lcas", "`ttft_p50_s`", "1", "2.00", "2.90", "2.50..3.10", "+45%", "-50%"),
    ]
    (counts,) = lines_of(page, "`preemptions`")
    assert "not explained" in counts and "-60%" in counts
    assert r"1. A burst \| at \<noon\>." in page


def test_the_page_says_what_the_fit_did_and_what_was_tried(whole, tmp_path):
    page = written(whole, tmp_path)
    assert "fell from 0.900 to 0.123" in page
    (errors,) = lines_of(page, "crawler", "18", "3.1%")
    assert "30%" in errors and "12%" in errors
    assert lines_of(page, "step_s", "0.004321")
    assert lines_of(page, "kv_blocks", "104,286", "90,000", "110,000", "101,604")
    assert "### A finding" in page and "# What was tried\n" not in page.replace("## What was tried and", "")
    assert "throughput" in page and "-10% (0.900)" in page
    assert "Simulated; performance model h200-tp2.made-up." in page
    assert "There is no number yet." in page


def test_its_first_line_says_what_made_it_and_it_is_the_same_twice(whole, tmp_path):
    first = written(whole, tmp_path)
    assert first.startswith("<!-- Made by the rule fidelity_page")
    assert first == written(whole, tmp_path)


def test_a_part_without_its_input_says_what_would_make_it(scorecard, tmp_path):
    page = written(Sources(scorecard, REFERENCE), tmp_path, [])
    for said in ("snakemake floor", "snakemake parity", "make calibrate", "snakemake stream2llm_fidelity"):
        assert said in page
    assert lines_of(page, "throughput with all arrivals", "not computed")


def test_targets_as_csv_and_counted(whole, tmp_path):
    stem = tmp_path / "tables" / "targets"
    table.write([whole.scorecard], stem, PROVENANCE, floor=[whole.floor], parity=[whole.parity])
    rows = list(csv.DictReader(stem.with_suffix(".csv").read_text().splitlines()))
    assert tuple(rows[0]) == table.COLUMNS
    median = rows[0]
    assert (median["status"], median["value"], median["floor"]) == ("missed", "0.25", "0.03")
    judged = [row["status"] for row in rows if row["status"] in ("met", "missed")]
    said = table.counted_in(stem.with_suffix(".csv"))
    assert said.startswith(f"Targets met: {judged.count('met')} of {len(judged)}; ")
    assert f"**{said}**" in stem.with_suffix(".md").read_text()


def test_score_ends_with_the_targets_met(scorecard, tmp_path):
    command = ["score", str(scorecard)]
    assert "Targets met" not in CliRunner().invoke(main, command).stdout
    table.write([scorecard], tmp_path / "tables" / "targets", PROVENANCE)
    last = CliRunner().invoke(main, command).stdout.replace("\n", " ").strip()
    assert re.search(r"Targets met: \d+ of \d+; \d+ not computed; see .*targets\.md$", last)


def test_another_table_is_no_table_of_targets(scorecard):
    with pytest.raises(HeadraceError, match="is no table of targets"):
        table.counted_in(scorecard)


@pytest.mark.parametrize("reader", [floors.read, parities.read])
def test_a_faulty_table_is_one_line(reader, tmp_path):
    with pytest.raises(HeadraceError, match="no such file; make it first"):
        reader(tmp_path / "none.csv")
    (tmp_path / "other.csv").write_text("policy,stream\nfcfs,true\n")
    with pytest.raises(HeadraceError, match="misses column"):
        reader(tmp_path / "other.csv")
    (tmp_path / "cut.csv").write_text("policy,draw,world\nfcfs,x\n")
    with pytest.raises(HeadraceError) as error:
        reader(tmp_path / "cut.csv")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_fit_is_one_line(whole, tmp_path):
    whole.calibration.write_text('{"summary": {}, "parameters": 3}')
    with pytest.raises(HeadraceError, match="is no result of a fit"):
        written(whole, tmp_path)


@pytest.fixture
def drawn(whole, tmp_path):
    stems = tmp_path / "figures" / "fidelity", tmp_path / "figures" / "fidelity_errors"
    fidelity.draw([whole.scorecard], stems[0], PROVENANCE)
    fidelity_errors.draw([whole.scorecard], stems[1], PROVENANCE, floor=[whole.floor])
    return [stem.with_suffix(".svg") for stem in stems]


def test_the_page_of_the_report_has_the_figures_inside(whole, drawn, tmp_path):
    written(whole, tmp_path)
    out = tmp_path / "fidelity.html"
    write_fidelity_page(tmp_path / "page" / "fidelity.md", drawn, out)
    markup = out.read_text()
    assert markup.count("<svg ") == 2 and markup.count('role="img"') == 2
    assert "<img" not in markup and "Made by the rule" not in markup
    assert set(re.findall(r"""(?:url\(|href=")(.)""", markup)) == {"#"}, "it loads nothing"
    assert markup.count("<table>") == markup.count('<div class="grid"><table>') > 5


def test_a_picture_that_is_none_of_the_figures_is_refused(whole, drawn, tmp_path):
    written(whole, tmp_path)
    with pytest.raises(HeadraceError, match=r"shows fidelity_errors\.svg; give that figure"):
        write_fidelity_page(tmp_path / "page" / "fidelity.md", drawn[:1], tmp_path / "out.html")
    drawn[0].write_text("PNG")
    with pytest.raises(HeadraceError, match="is no SVG"):
        write_fidelity_page(tmp_path / "page" / "fidelity.md", drawn, tmp_path / "out.html")


def test_figures_are_the_same_twice_and_are_drawn_of_nothing(whole, drawn, card, tmp_path):
    before = [svg.read_bytes() for svg in drawn]
    fidelity.draw([whole.scorecard], drawn[0].with_suffix(""), PROVENANCE)
    fidelity_errors.draw([whole.scorecard], drawn[1].with_suffix(""), PROVENANCE, floor=[whole.floor])
    assert [svg.read_bytes() for svg in drawn] == before
    whole.scorecard.write_text(to_csv(card()))
    fidelity.draw([whole.scorecard], drawn[0].with_suffix(""), PROVENANCE)
    fidelity_errors.draw([whole.scorecard], drawn[1].with_suffix(""), PROVENANCE)


def test_the_errors_are_drawn_by_role_with_their_numbers_in_the_title(whole, tmp_path, monkeypatch):
    """fcfs is 5 % off, lcas 45 %, the calibrated row 20 %, the null baseline 50 %; the floor 2 and 4 %."""
    kept = []
    monkeypatch.setattr(fidelity_errors, "save", lambda figure, _: kept.append(figure))
    fidelity_errors.draw([whole.scorecard], tmp_path / "f", PROVENANCE, floor=[whole.floor])
    crawler = kept[0].axes[0]
    assert crawler.get_title() == "crawler, main grid (2 seen, 1 calibrated)"
    steps = [sorted(line.get_xdata())[1:-1] for line in crawler.lines if len(line.get_xdata()) > 2]
    wanted = [[50.0, 50.0], [2.0, 4.0], [20.0], [5.0, 45.0]]
    assert [pytest.approx(each) for each in wanted] == steps


def test_points_stand_at_published_and_reproduced(whole, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(fidelity, "save", lambda figure, _: kept.append(figure))
    fidelity.draw([whole.scorecard], tmp_path / "f", PROVENANCE)
    titles = {axes.get_title(): axes for axes in kept[0].axes}
    main = titles["TTFT (s), crawler (3)"]
    points = {
        (x, y, line.get_markerfacecolor() == "white")
        for line in main.lines
        if line.get_marker() == "o"
        for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)
    }
    assert points == {(2.0, 2.1, False), (2.0, 2.9, False), (1.0, 1.2, True)}
    assert "preemptions of a run (1)" in titles
