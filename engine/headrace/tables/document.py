"""A scored table as two files: every row as CSV, and a page for readers."""

from pathlib import Path

from headrace.files import write_text
from headrace.scorecard.score import to_csv
from headrace.scorecard.summary import summarise
from headrace.tables.beside import marks_in
from headrace.tables.markdown import NONE, escape, heading, percent, table
from headrace.tables.scored import Scored

NAMES = {"sim": "ours", "vllm": "vLLM", "published": "run logs"}
WHICH = {"vllm": "what was measured on vLLM, the median over worlds if there is more than one"}
COLUMNS = (
    "artifact, hardware, workload, setting, qps, policy, stream, quantity (its unit is in the name),"
    " published, reproduced, pi_low, pi_high, rel_error, null_error, role, verdict"
)


def write_scored(
    out_stem: Path, title: str, about: str, scored: Scored, provenance: str, parts: list[str]
) -> None:
    """Write `out_stem`.csv (byte-identical for the same input) and `out_stem`.md.

    about: what the table shows, as Markdown; provenance: where the numbers come from; parts: headings and
    tables as Markdown.
    """
    csv = out_stem.with_suffix(".csv")
    page = [
        f"# {title}",
        escape(f"{provenance[0].upper()}{provenance[1:]}. {'; '.join(scored.sizes)}."),
        about,
        "\n".join(_legend(scored)),
        *heading("How close", [_how_close(scored)]),
        *parts,
        *heading("Every row", [_columns(csv.name, "overload" in scored.rows.columns)]),
    ]
    write_text(csv, to_csv(scored.rows))
    write_text(out_stem.with_suffix(".md"), "\n\n".join(page) + "\n")


def name_of(scored: Scored) -> str:
    """What the lines of reproduced numbers are called."""
    return NAMES.get(scored.backend, scored.backend)


def _legend(scored: Scored) -> list[str]:
    rows, which, misses = scored.rows, "the median over worlds", ""
    if scored.backend in WHICH:
        which = WHICH[scored.backend]
    elif scored.backend != "sim":
        which = "what comes out of the study's own logs here"
    elif "overload" in rows.columns:
        which = (
            "world 0, the most typical draw, if it replays the whole published trace, else the median over"
            " worlds"
        )
        misses = ", which one run in twenty misses, world 0 as well"
    interval = ""
    if rows["pi_low"].is_not_null().any():
        interval = f"; in brackets the 95% prediction interval for one run{misses}"
    return [
        f"- **{name_of(scored)}**: {which}{interval}.",
        "- **published**: the study's number; in brackets our error relative to it.",
        *(f"- **{mark}**: {meaning}" for mark, meaning in marks_in(rows).items()),
    ]


def _how_close(scored: Scored) -> str:
    groups = summarise(scored.rows).drop_nulls("median")
    if groups.is_empty():
        return ""
    body = [
        [
            row["role"],
            escape(row["workload"]),
            row["family"],
            str(row["rows"]),
            percent(row["median"]),
            percent(row["p90"]),
            percent(row["null_median"]),
            f"{row['inside']} of {row['judged']}" if row["judged"] else NONE,
        ]
        for row in groups.iter_rows(named=True)
    ]
    headings = ["role", "workload", "quantity", "rows", "median error", "P90", "null median", "in interval"]
    shown = table(headings, body, labels=3)
    if groups["null_rows"].sum():
        shown += "\n\nNull: a baseline without a simulator, over the rows where it has an opinion."
    return shown


def _columns(name: str, with_overload: bool) -> str:
    overload = ", overload (of the row's run or of its baseline)" * with_overload
    return f"[{name}]({name}). Its columns are the scorecard's: {COLUMNS}{overload}."
