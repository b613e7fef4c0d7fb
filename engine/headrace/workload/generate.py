"""Generated workloads: from a set of parameters to a chunk table."""

from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError, nearest
from headrace.workload import synthetic_anns, synthetic_crawler
from headrace.workload.arrivals import arrival_times, generator
from headrace.workload.parameters import parse
from headrace.workload.progress import progress_bar
from headrace.workload.table import write_table
from headrace.workload.typical import most_typical

GENERATORS = {
    "crawler": (synthetic_crawler.CrawlerParameters, synthetic_crawler.draw_world),
    "anns": (synthetic_anns.AnnsParameters, synthetic_anns.draw_world),
}


def draw(
    name: str, parameters: dict, world: int, seed: int, queries: int, typical_of: int = 1
) -> pl.DataFrame:
    """The chunk table of one world, without its column `world`, sorted by query and chunk.

    World 0 is the most typical of `typical_of` draws (headrace.workload.typical), every other world one.

    Raises HeadraceError for an unknown workload and bad parameters.
    """
    if name not in GENERATORS:
        raise HeadraceError("workload", f"unknown workload {name!r}", nearest(name, GENERATORS))
    kind, draw_world = GENERATORS[name]
    place = f"parameters of workload {name}"
    drawn = parse(kind, parameters, place)
    names = [name] if world else [name, *(f"{name} {number}" for number in range(1, typical_of))]
    draws = [pl.DataFrame(draw_world(drawn, generator(seed, world, what), queries, place)) for what in names]
    return most_typical(draws, arrival_times(queries, world, seed)) if len(draws) > 1 else draws[0]


def generate(
    name: str,
    parameters: dict,
    worlds: int,
    seed: int,
    queries: int,
    out: Path,
    typical_of: int = 1,
    progress: bool = True,
) -> None:
    """Write the chunk table of `queries` queries in worlds 0..worlds-1 of workload `name` to `out`.

    parameters: as in config/workloads/<name>.yaml. Worlds are independent draws from (seed, world,
    name); each meets the quantiles of the parameters by itself. typical_of: as for `draw`.

    Raises HeadraceError for an unknown workload, bad parameters, no query, no world, or no draw.
    """
    for number, what in ((queries, "queries"), (worlds, "worlds"), (typical_of, "draws of world 0")):
        if number < 1:
            raise HeadraceError(f"workload {name}", f"{number} {what}", "ask for at least 1")
    frames = []
    with progress_bar(f"generate {name}", worlds, progress) as advance:
        for world in range(worlds):
            table = draw(name, parameters, world, seed, queries, typical_of)
            frames.append(table.with_columns(world=pl.lit(world)))
            advance()
    write_table(pl.concat(frames), out)
