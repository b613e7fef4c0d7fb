"""A workload's statistics beside the published ones."""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

STATISTICS = ("mean", "std", "min", "p5", "p25", "p50", "p75", "p95", "p99", "max")
Row = tuple[str, str, float, float | None, str]


def shown_quantities(table: pl.DataFrame, beside: str | None, reference: Path) -> Iterator[Row]:
    """(quantity, statistic, median over worlds, published or None, unit), quantity by quantity.

    `beside`: the workload whose published numbers in the folder `reference` are wanted. Where table 2
    and figures 8 to 10 both give one (durations), it is table 2's. Raises HeadraceError for a fault in
    a reference table.
    """
    from headrace.scorecard.reference import UNIT_S, read_reference, statistic_quantity
    from headrace.workload import statistics

    published: dict[str, float] = {}
    if beside is not None:
        rows = read_reference(reference).filter(
            pl.col("artifact").is_in(["table2", "fig8-10"]), workload=beside
        )
        for row in rows.sort("artifact").iter_rows(named=True):
            published[row["quantity"]] = row["published"]
    found = statistics(table)
    for (quantity, unit), worlds in found.group_by("quantity", "unit", maintain_order=True):
        for statistic in STATISTICS:
            value = worlds[statistic].median()
            if value is not None:
                name = statistic_quantity(quantity, statistic, unit)
                known = published.get(name)
                yield (
                    quantity,
                    statistic,
                    value,
                    None if known is None else known / UNIT_S.get(unit, 1.0),
                    unit,
                )
