"""The workload that a command was given: a generator's name, a chunk table, or a folder of traces."""

from dataclasses import dataclass
from pathlib import Path

from headrace.cli.configuration import ROOT
from headrace.cli.output import on_terminal
from headrace.errors import HeadraceError, nearest


@dataclass(frozen=True, slots=True)
class Given:
    """A chunk table, and what is known of it.

    name: the configured workload whose engine settings it is served with; source: synthetic, or the
    path it came from; queries: how many arrivals it needs.
    """

    name: str
    source: str
    chunks: Path
    queries: int


def given_workload(
    workload: str,
    config: dict,
    folder: Path,
    *,
    worlds: int,
    queries: int | None = None,
    tokeniser: str | None = None,
) -> Given:
    """Make or find the chunk table of `workload`; what is made lies in `folder`.

    `queries`: how many are generated; of a table or traces, only the first so many. `tokeniser`: tekken,
    or a name that AutoTokenizer knows; by default the configuration's. Raises HeadraceError for a name that
    is no workload and no path, for a tokeniser that is not needed, and for every fault of traces and tables.
    """
    known = config["workloads"]
    if workload in known:
        source, path = known[workload]["source"], None
        if source == "published":
            raise HeadraceError(
                f"workload {workload}",
                "its source is the published data set, which the workflow downloads",
                "give the folder of its traces in place of its name",
            )
        if source == "synthetic":
            _without_tokeniser(tokeniser)
            return _generated(workload, config, folder, worlds, queries or known[workload]["queries"])
        path, queries = ROOT / source, queries or known[workload]["queries"]
    else:
        source, path = workload, Path(workload)
        if not path.exists():
            remedy = f"{nearest(workload, known)} (or a chunk table, .parquet, or a folder of traces)"
            raise HeadraceError("workload", f"no workload, file or folder {workload!r}", remedy)
    return _own(path, source, config, folder, worlds, queries, tokeniser)


def _generated(name: str, config: dict, folder: Path, worlds: int, queries: int) -> Given:
    from headrace.workload import generate

    chunks = folder / f"{name}.parquet"
    generate(
        name,
        config["generators"][name],
        worlds=worlds,
        seed=config["seed"],
        queries=queries,
        out=chunks,
        typical_of=config["workloads"][name].get("typical_of", 1),
        progress=on_terminal(),
    )
    return Given(name, "synthetic", chunks, queries)


def _own(
    path: Path,
    source: str,
    config: dict,
    folder: Path,
    worlds: int,
    queries: int | None,
    tokeniser: str | None,
) -> Given:
    import polars as pl

    from headrace.workload import read_table, read_traces, write_table
    from headrace.workload.check import kind_of

    kind = kind_of(path)
    if kind == "arrivals":
        raise HeadraceError(path, "is an arrivals table", "give a chunk table; arrivals go with --arrivals")
    if kind == "chunk table":
        _without_tokeniser(tokeniser)
        table, chunks = read_table(path), path
        if queries is not None:
            table, chunks = table.filter(pl.col("query_id") < queries), folder / path.name
            write_table(table, chunks)
        name = "crawler" if (table["mode"] == "append").all() else "anns"
        return Given(name, source, chunks, table["query_id"].max() + 1)
    chunks = folder / f"{kind}.parquet"
    counts = read_traces(
        kind,
        path,
        _tokeniser(tokeniser) if tokeniser else config["tokeniser"],
        worlds=worlds,
        out=chunks,
        progress=on_terminal(),
        queries=queries,
    )
    return Given(kind, source, chunks, counts["traces"])


def _without_tokeniser(name: str | None) -> None:
    """Raise HeadraceError for an option that would say nothing here."""
    if name is not None:
        raise HeadraceError("--tokeniser", "goes with a folder of traces", "leave it out")


def _tokeniser(name: str) -> dict:
    return {"kind": "tekken"} if name == "tekken" else {"kind": "transformers", "name": name}
