"""A cell's outcome in the keys of `vllm bench serve`, over its worlds, as JSON and as a table."""

from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from rich.console import Group
from rich.text import Text

from headrace.cli.inputs import Inputs
from headrace.cli.output import plain_table
from headrace.files import read_json

TTFT = (
    "TTFT runs from the return of the last hand-over to the first token"
    " (without streaming: from the submission); E2EL from the query's start."
)
ROWS = {  # keys, with the unit where the key does not say it
    "mean_ttft_ms": "",
    "median_ttft_ms": "",
    "p95_ttft_ms": "",
    "p99_ttft_ms": "",
    "p99.9_ttft_ms": "",
    "mean_e2el_ms": "",
    "median_e2el_ms": "",
    "p99_e2el_ms": "",
    "completed": "",
    "duration": "s",
    "request_throughput": "1/s",
    "total_token_throughput": "tokens/s",
    "preemptions_recompute": "",
    "preemptions_swap": "",
    "invalidated_tokens": "",
    "offered_load": "",
}
GROUP_ENDS = ("p99.9_ttft_ms", "p99_e2el_ms", "total_token_throughput")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One policy's run: per world, the keys of `vllm bench serve` and ours."""

    label: str
    policy: str
    worlds: list[dict]

    def values(self, key: str) -> list[float]:
        """Of every world that has it."""
        return [world[key] for world in self.worlds if world.get(key) is not None]

    def mean(self, key: str) -> float | None:
        """Over the worlds; None where no world has it."""
        values = self.values(key)
        if len(set(values)) <= 1:
            return values[0] if values else None
        return fmean(values)

    @property
    def overloaded(self) -> int:
        """How many of its worlds are."""
        return sum(world["overload"] for world in self.worlds)

    def document(self) -> dict:
        """For JSON: means over worlds at the top, [lowest, highest] of several under `range`, every world."""
        keys = [key for key in self.worlds[0] if key not in ("world", "overload")]
        return {
            "policy": self.policy,
            **{key: self.mean(key) for key in keys},
            "overloaded_worlds": self.overloaded,
            "range": {key: [min(values), max(values)] for key in keys if len(values := self.values(key)) > 1},
            "worlds": self.worlds,
        }


def outcome(label: str, policy: str, folder: Path) -> Outcome:
    """Read the tables that a cell wrote into `folder`."""
    import polars as pl

    from headrace.metrics import summary
    from headrace.metrics.overload import is_overloaded

    tables = pl.read_parquet(folder / "requests.parquet").partition_by("world", maintain_order=True)
    worlds = []
    for totals, requests in zip(read_json(folder / "cell.json")["worlds"], tables, strict=True):
        counts = ("preemptions_recompute", "preemptions_swap", "invalidated_tokens", "computed_tokens")
        world = {
            "world": totals["world"],
            **summary(requests),
            **{name: int(requests[name].sum()) for name in counts},
            **{key: totals[key] for key in ("offered_load", "utilisation", "steps")},
            "overload": is_overloaded(requests, totals["offered_load"]),
        }
        worlds.append(world)
    return Outcome(label, policy, worlds)


def document(inputs: Inputs, outcomes: list[Outcome]) -> dict:
    """The first outcome's numbers at the top, the others under `against`."""
    first, *others = [outcome.document() for outcome in outcomes]
    return {
        "simulated": True,
        "provenance": inputs.provenance,
        "ttft": TTFT,
        "spec": {key: value for key, value in inputs.spec.items() if key != "policy"},
        **first,
        "against": others,
    }


def show(inputs: Inputs, outcomes: list[Outcome]) -> Group:
    """Headline, table, and what to beware of."""
    spec = inputs.spec
    several = len(outcomes[0].worlds) > 1
    provenance = inputs.provenance.removeprefix("simulated; ")
    if spec["backend"] == "sim":
        provenance = provenance.capitalize()
    head = Text.assemble(("Simulated", "bold"), f": {title(spec, outcomes[0].label)}\n{provenance}.\n{TTFT}")
    notes = []
    if several and len(outcomes) > 1:
        notes.append(
            "Means over worlds; speedup: the other's time over this one's, mean and range over worlds."
        )
    elif several:
        notes.append(f"Means over {len(outcomes[0].worlds)} worlds, and the lowest and the highest of them.")
    elif len(outcomes) > 1:
        notes.append(f"Speedup: the other's time over that of {outcomes[0].label}.")
    if unasked := [found.label for found in outcomes if _only_recomputes(found.policy)]:
        notes.append(f"{', '.join(unasked)}: a victim is always recomputed, whatever the eviction rule.")
    if any(found.overloaded for found in outcomes):
        counts = ", ".join(f"{found.label} {found.overloaded}/{len(found.worlds)}" for found in outcomes)
        notes.append(
            f"Overload in worlds: {counts}. More work comes than can be done (offered load above 1), or the"
            " backlog grows: times then say how long the trace is."
        )
    table = _beside(outcomes) if len(outcomes) > 1 else _alone(outcomes[0])
    return Group(head, table, *map(Text, notes))


def _only_recomputes(policy: str) -> bool:
    from headrace.scheduling import POLICIES, load

    return policy in POLICIES and getattr(load(policy), "only_recomputes", False)


def title(spec: dict, policy: str) -> str:
    """What was run, in a line: workload, hardware, rate, policy, how."""
    delay = f", waits x{spec['delay']}" if spec["delay"] > 1 else ""
    workload, source = spec["workload"], spec.get("source")
    if source in ("synthetic", "published"):
        workload = f"{workload} ({source})"
    elif source:
        workload = f"{Path(source).name} (served as {workload})"
    how = "streaming" if spec["stream"] else "without streaming"
    if spec["backend"] != "sim":
        how += f", backend {spec['backend']}"
    return (
        f"{workload}{delay}, {spec['hardware']}, {spec['qps']:g} QPS, {policy}, {how},"
        f" eviction {spec['eviction']}"
    )


def _alone(found: Outcome) -> object:
    several = len(found.worlds) > 1
    table = plain_table("", numbers=(found.label, *(("lowest", "highest") if several else ())))
    for key, unit in ROWS.items():
        values = found.values(key)
        spread = (_number(min(values)), _number(max(values))) if several and values else ()
        table.add_row(_name(key, unit), _number(found.mean(key)), *spread, end_section=key in GROUP_ENDS)
    return table


def _beside(outcomes: list[Outcome]) -> object:
    first, *others = outcomes
    headings = [heading for other in others for heading in (other.label, "speedup")]
    table = plain_table("", numbers=(first.label, *headings))
    for key, unit in ROWS.items():
        fields = [_number(first.mean(key))]
        for other in others:
            fields += [_number(other.mean(key)), _speedup(first, other, key) if key.endswith("_ms") else ""]
        table.add_row(_name(key, unit), *fields, end_section=key in GROUP_ENDS)
    return table


def _name(key: str, unit: str) -> str:
    return f"{key} [dim]{unit}[/dim]" if unit else key


def _speedup(first: Outcome, other: Outcome, key: str) -> str:
    """Formed within a world, whose arrivals both sides share."""
    ratios = [b / a for a, b in zip(first.values(key), other.values(key), strict=True) if a > 0]
    if not ratios:
        return "-"
    spread = f" ({min(ratios):.2f}-{max(ratios):.2f})" if len(ratios) > 1 else ""
    return f"{fmean(ratios):.2f}x{spread}"


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, int) or value >= 1000:
        return f"{value:,.0f}"
    return f"{value:#.3g}".removesuffix(".")
