"""Generated workloads: from a set of parameters to a chunk table."""

from pathlib import Path

import polars as pl

from headrace.errors import HeadraceError, nearest
from headrace.workload import synthetic_anns, synthetic_crawler
from headrace.workload.arrivals import generator
from headrace.workload.parameters import parse
from headrace.workload.progress import progress_bar
from headrace.workload.table import write_table

GENERATORS = {
    "crawler": (synthetic_crawler.CrawlerParameters, synthetic_crawler.draw_world),
    "anns": (synthetic_anns.AnnsParameters, synthetic_anns.draw_world),
}


def draw(name: str, parameters: dict, world: int, seed: int, queries: int) -> pl.DataFrame:
    """The chunk table of one world, without its column `world`, sorted by query and chunk.

    Raises HeadraceError for an unknown workload and bad parameters.
    """
    if name not in GENERATORS:
        raise HeadraceError("workload", f"unknown workload {name!r}", nearest(name, GENERATORS))
    kind, draw_world = GENERATORS[name]
    place = f"parameters of workload {name}"
    return pl.DataFrame(
        draw_world(parse(kind, parameters, place), generator(seed, world, name), queries, place)
    )


def generate(
    name: str, parameters: dict, worlds: int, seed: int, queries: int, out: Path, progress: bool = True
) -> None:
    """Write the chunk table of `queries` queries in worlds 0..worlds-1 of workload `name` to `out`.

    parameters: as in config/workloads/<name>.yaml. Worlds are independent draws from (seed, world,
    name); each meets the quantiles of the parameters by itself.

    Raises HeadraceError for an unknown workload, bad parameters, no query or no world.
    """
    if queries < 1 or worlds < 1:
        raise HeadraceError(f"workload {name}", f"{queries} queries in {worlds} worlds", "ask for at least 1")
    frames = []
    with progress_bar(f"generate {name}", worlds, progress) as advance:
        for world in range(worlds):
            table = draw(name, parameters, world, seed, queries)
            frames.append(table.with_columns(world=pl.lit(world)))
            advance()
    write_table(pl.concat(frames), out)
