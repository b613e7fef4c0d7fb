"""headrace workload: statistics, generation, and a look through traces of one's own."""

import sys
from pathlib import Path

import click

from headrace.cli.options import CONFIG, COUNT, FOLDER, Whole
from headrace.cli.output import console, on_terminal, plain_table
from headrace.errors import HeadraceError, nearest


@click.group()
def workload() -> None:
    """Look at, make and check workloads."""


@workload.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(readable=False, path_type=Path))
def check(paths: tuple[Path, ...]) -> None:
    """Look through traces and tables of your own; name every faulty file.

    PATHS: folders in a published format (docs/workloads.md), chunk tables, arrivals tables. What each is
    shows in its files or columns. Exit code 1 if anything is wrong.
    """
    from headrace.workload.check import check as look_through

    wrong = 0
    for path in paths:
        found = look_through(path)
        for problem in found.problems:
            click.echo(str(problem), err=True)
        for skipped in found.skipped:
            click.echo(skipped)
        wrong += len(found.problems)
        counts = ", ".join(f"{number:,} {what.replace('_', ' ')}" for what, number in found.counts.items())
        verdict = f"{len(found.problems)} at fault" if found.problems else "nothing wrong"
        click.echo(f"{path} ({found.kind}): {counts or 'nothing good'}; {verdict}")
    sys.exit(1 if wrong else 0)


@workload.command()
@click.argument("name")
@click.option("--out", type=FOLDER, required=True, help="Folder of the two tables.")
@click.option("--queries", type=COUNT, help="In place of the configuration's.")
@click.option("--worlds", type=COUNT, help="In place of the configuration's.")
@click.option("--seed", type=Whole(0), help="In place of the configuration's.")
@CONFIG
def make(
    name: str, out: Path, queries: int | None, worlds: int | None, seed: int | None, config: tuple[Path, ...]
) -> None:
    """Generate a workload: its chunk table and its arrivals.

    NAME: crawler or anns. Both tables are Parquet, as the workflow makes them.
    """
    from headrace.cli.configuration import read_configuration
    from headrace.workload import generate, write_arrivals

    whole = read_configuration(config)
    known = sorted(whole["generators"])
    if name not in known:
        raise HeadraceError("workload", f"unknown workload {name!r}", nearest(name, known))
    configured = whole["workloads"][name]
    size = {
        "queries": queries or configured["queries"],
        "worlds": worlds or configured["worlds"],
        "seed": whole["seed"] if seed is None else seed,
    }
    files = out / f"{name}.parquet", out / f"{name}.arrivals.parquet"
    candidates = configured.get("typical_of", 1)
    generate(
        name,
        whole["generators"][name],
        **size,
        out=files[0],
        typical_of=candidates,
        progress=on_terminal(),
    )
    write_arrivals(**size, out=files[1])
    click.echo(f"{files[0]}, {files[1].name}: {size['queries']:,} queries, {_worlds(size['worlds'])}")


@workload.command()
@click.argument("workload", metavar="NAME|PATH")
@click.option("--queries", type=COUNT, help="How many; of a table or traces, the first so many.")
@click.option("--worlds", type=COUNT, help="Of a generated workload, in place of the configuration's.")
@click.option("--tokeniser", metavar="NAME", help="For traces: tekken, or a name that AutoTokenizer knows.")
@click.option(
    "--beside", metavar="NAME", help="Published numbers of crawler or anns beside; the default for NAME."
)
@CONFIG
def stats(
    workload: str,
    queries: int | None,
    worlds: int | None,
    tokeniser: str | None,
    beside: str | None,
    config: tuple[Path, ...],
) -> None:
    """Statistics of a workload, beside the published ones.

    Tokens, durations, gaps and chunks; median over its worlds.
    NAME: crawler or anns, generated. PATH: a chunk table, or a folder of traces in a published format.
    """
    from headrace.cli.configuration import ROOT, read_configuration
    from headrace.cli.given import given_workload
    from headrace.cli.runs import scratch
    from headrace.cli.statistics import shown_quantities
    from headrace.scorecard.reference import WORKLOADS
    from headrace.workload import read_table

    whole = read_configuration(config)
    if beside is not None and beside not in WORKLOADS:
        raise HeadraceError("--beside", f"unknown workload {beside!r}", nearest(beside, WORKLOADS))
    if workload in whole["workloads"]:
        worlds = worlds or whole["workloads"][workload]["worlds"]
        if workload in WORKLOADS:
            beside = beside or workload
    elif worlds:
        raise HeadraceError("--worlds", "goes with a generated workload", "leave it out")
    with scratch() as folder:
        given = given_workload(
            workload, whole, folder, worlds=worlds or 1, queries=queries, tokeniser=tokeniser
        )
        table = read_table(given.chunks)
    rows = shown_quantities(table, beside, ROOT / "data/reference/stream2llm")
    out = console()
    worlds = table["world"].n_unique()
    kind = " (synthetic)" if given.source == "synthetic" else ""
    counted = f"{_worlds(worlds)} of {given.queries:,} queries"
    out.print(f"[bold]{workload}[/bold]{kind}: {counted}{'; median over worlds' * (worlds > 1)}.")
    shown = plain_table(
        "quantity", "statistic", numbers=("here", *(("published", "error") if beside else ()), "unit")
    )
    previous = None
    for quantity, statistic, value, published, unit in rows:
        if previous not in (None, quantity):
            shown.add_section()
        fields = [_number(value)]
        if beside:
            error = "" if published is None else f"{value / published - 1:+.1%}"
            fields += ["" if published is None else _number(published), error]
        shown.add_row("" if quantity == previous else quantity, statistic, *fields, unit)
        previous = quantity
    out.print(shown)
    if beside:
        out.print(
            f"Published: {beside} of Stream2LLM; table 2 for tokens and durations of the queries that are"
            " replayed, figures 8 to 10 for gaps, counts and the longest duration, of all traces."
        )


def _worlds(count: int) -> str:
    return f"{count} world{'s' * (count > 1)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
