"""Every main claim with every assumption moved: how far it moves, the largest effect first."""

import csv
import io
from pathlib import Path

from headrace.files import write_text
from headrace.tables.markdown import NONE, escape, heading, number, percent, table
from headrace.variants.effects import Effect, Moved, Watched, watched_claims

TITLE = "Sensitivity of the main claims to the assumptions"
CUT = "*"
COLUMNS = (
    *("claim", "assumption", "label", "baseline", "published"),
    *("lower_to", "lower_cut", "lower", "lower_change"),
    *("higher_to", "higher_cut", "higher", "higher_change"),
)


def write(
    outcomes: list[Path],
    reference: list[Path],
    definition: dict,
    hardware: str,
    out_stem: Path,
    provenance: str,
) -> None:
    """Write `out_stem`.csv and `out_stem`.md from the tables of `headrace.variants.sensitivity`.

    definition: the key variants.<study>.sensitivity. Raises HeadraceError as `watched_claims` does.
    """
    watched = watched_claims(outcomes, reference, definition, hardware)
    share = definition["change"]
    page = [f"# {TITLE}", escape(f"{provenance[0].upper()}{provenance[1:]}. {hardware}."), _about(share)]
    for each in watched:
        page += heading(each.claim.title, [_base(each), _effects(each, share)])
    name = out_stem.with_suffix(".csv").name
    page += heading("Every row", [f"[{name}]({name}). Its columns: {', '.join(COLUMNS)}."])
    write_text(out_stem.with_suffix(".csv"), _csv(watched))
    write_text(out_stem.with_suffix(".md"), "\n\n".join(page) + "\n")


def _about(share: float) -> str:
    return (
        f"Each assumption moved alone, by {share:.0%} of its value, down and up. Numbers are medians over"
        " worlds with the published arrivals; a world has the same random numbers whatever moves. In brackets"
        " the change of the claim, of a share in points. Largest effect first. A value with"
        f" {escape(CUT)} was stopped at its natural limit. An assumption that is 0 does not move."
    )


def _base(each: Watched) -> str:
    show = percent if each.claim.is_share else number
    worlds = f"{show(min(each.worlds))} to {show(max(each.worlds))} in {len(each.worlds)} worlds"
    if len(each.worlds) == 1:
        worlds = "one world"
    published = NONE if each.published is None else show(each.published)
    return f"Nothing moved: **{show(each.value)}** ({worlds}). Published: {published}."


def _effects(each: Watched, share: float) -> str:
    headings = ["assumption", f"{share:.0%} lower", "claim", f"{share:.0%} higher", "claim"]
    body = [
        [
            escape(effect.assumption.label),
            *(text for way in (effect.lower, effect.higher) for text in _way(each, way)),
        ]
        for effect in each.effects
    ]
    return table(headings, body, labels=1) if body else ""


def _way(each: Watched, way: Moved) -> tuple[str, str]:
    to = ", ".join(f"{float(value):,.6g}" for value in way.moved_to.split()) or NONE
    if way.cut:
        to += f" {escape(CUT)}"
    if way.value is None:
        return to, NONE
    if each.claim.is_share:
        return to, f"{percent(way.value)} ({100 * each.change(way.value):+.1f})"
    by = each.change(way.value)
    return to, f"{number(way.value)} ({NONE if by is None else format(by, '+.1%')})"


def _csv(watched: list[Watched]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for each in watched:
        for effect in each.effects:
            writer.writerow(_row(each, effect))
    return text.getvalue()


def _row(each: Watched, effect: Effect) -> list[str]:
    row = [each.claim.name, effect.assumption.name, effect.assumption.label]
    row += [_text(each.value), _text(each.published)]
    for way in (effect.lower, effect.higher):
        row += [way.moved_to, str(way.cut).lower(), _text(way.value), _text(each.change(way.value))]
    return row


def _text(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
