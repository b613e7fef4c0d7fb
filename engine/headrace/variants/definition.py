"""Claims and assumptions of a sensitivity study, as the configuration gives them."""

from collections.abc import Collection
from dataclasses import dataclass

from headrace import study as studies
from headrace.axes import TYPES, Axes
from headrace.errors import HeadraceError, nearest

RANKS = ("p50", "p75", "p90", "p95", "p99", "p99.9", "mean")
SHOWN = "*"
"""In the path of an assumption: the hardware that is shown."""
BASELINE = "baseline"
"""In the place of an assumption: nothing is moved."""
QUANTITIES = (
    *(f"{time}_{rank}_s" for time in ("ttft", "e2e") for rank in RANKS),
    *("completion_s", "request_throughput", "offered_load"),
    *("preemptions", "preemptions_recompute", "preemptions_swap", "swap_share"),
    *(f"concurrent_requests_{rank}" for rank in ("p50", "p95", "mean")),
    *(f"invalidated_{rank}_tokens" for rank in ("p50", "p95", "p99", "mean")),
)
"""Of metrics.parquet: what a claim can be about."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A quantity of a cell, or its ratio to that of another cell in the same world."""

    name: str
    title: str
    quantity: str
    """One of `QUANTITIES`."""
    cell: Axes
    over: Axes | None

    @classmethod
    def of(cls, given: dict, hardware: str) -> "Claim":
        """From the configuration: its cells are simulated on `hardware`."""
        here = {"backend": "sim", "hardware": hardware}
        cell = _axes({**here, **given["cell"]})
        over = _axes({**cell, **given["over"]}) if "over" in given else None
        return cls(given["name"], given["title"], given["quantity"], cell, over)

    @property
    def cells(self) -> list[Axes]:
        """The cells that it takes."""
        return [self.cell] if self.over is None else [self.cell, self.over]

    @property
    def workloads(self) -> set[str]:
        return {str(cell["workload"]) for cell in self.cells}

    @property
    def is_share(self) -> bool:
        """A share moves by points; all else moves by a factor."""
        return self.over is None and self.quantity == "swap_share"


@dataclass(frozen=True, slots=True)
class Assumption:
    """Values of the configuration that stand for one thing and move together."""

    name: str
    label: str
    paths: tuple[str, ...]

    @classmethod
    def of(cls, given: dict, hardware: str) -> "Assumption":
        """From the configuration, with the hardware that is shown in its paths."""
        paths = tuple(shown_path(path, hardware) for path in given["paths"])
        return cls(given["name"], given["label"], paths)

    def touches(self, claim: Claim) -> bool:
        """Whether it can move the claim: a generator's parameter moves its own workload only."""
        roots = [path.split("/") for path in self.paths]
        return any(root[0] != "generators" or root[1] in claim.workloads for root in roots)


def movable(
    definition: dict, hardware: str, workloads: Collection[str]
) -> tuple[list[Claim], list[Assumption]]:
    """The claims about these workloads alone, and the assumptions that can move one of them.

    definition: the key variants.<study>.sensitivity.
    """
    claims = [Claim.of(given, hardware) for given in definition["claims"]]
    claims = [claim for claim in claims if claim.workloads <= set(workloads)]
    found = [Assumption.of(given, hardware) for given in definition["assumptions"]]
    return claims, [each for each in found if any(map(each.touches, claims))]


def shown_hardware(study: dict) -> str:
    """The hardware that the runs beside the grid are on: the first of the cells whose waits are as they were.

    `study`: the key studies.<study>.
    """
    cells = studies.cells(study, "sim")
    return next((cell["hardware"] for cell in cells if cell["delay"] == 1), cells[0]["hardware"])


def shown_path(path: str, hardware: str) -> str:
    """The path with the name of the hardware in the place of `SHOWN`."""
    return "/".join(hardware if key == SHOWN else key for key in path.split("/"))


def number_at(config: dict, path: str) -> int | float:
    """The number at a path such as hardware/h200-tp2/kv_blocks.

    Raises HeadraceError for a path that leads nowhere, or to something that is no number.
    """
    place: object = config
    for key in path.split("/"):
        if not isinstance(place, dict) or key not in place:
            known = [*map(str, place)] if isinstance(place, dict) else []
            remedy = nearest(key, known) if known else "end the path before it"
            raise HeadraceError(path, f"there is no {key!r}", remedy)
        place = place[key]
    if isinstance(place, bool) or not isinstance(place, int | float):
        raise HeadraceError(path, "is no number", "name the number that is to move")
    return place


def _axes(given: Axes) -> Axes:
    """In the order of a cell's folders, with the types that they have."""
    return {key: float(given[key]) if key == "qps" else given[key] for key in TYPES}
