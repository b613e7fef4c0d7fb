"""The optimiser: CMA-ES over the positions of the parameters between their bounds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

Positions = Sequence[float]


@dataclass(frozen=True, slots=True)
class Generation:
    """How far the search was after a generation."""

    evaluations: int
    """So far."""
    best: float
    """The lowest loss so far."""
    median: float
    """Of this generation."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where the search ended."""

    best: Positions
    """Of all positions asked for, those with the lowest loss."""
    favourite: Positions
    """The mean of the final distribution."""
    generations: list[Generation]
    stopped: str
    """`evaluations`, or the optimiser's own reason."""


def search(
    losses: Callable[[list[Positions]], list[float]],
    start: Positions,
    step: float,
    seed: int,
    evaluations: int,
    population: int,
) -> Found:
    """Minimise with CMA-ES (N. Hansen; package cma), within 0..1 by the package's own boundary handling.

    losses: of a generation of positions. step: standard deviation of the first generation, in shares of the
    range. As many whole generations as `evaluations` allow. The random numbers are a generator of its own, so
    that nothing else in the process changes what is asked.
    """
    import cma

    random = np.random.default_rng(seed)
    strategy = cma.CMAEvolutionStrategy(
        list(start),
        step,
        {
            "bounds": [0, 1],
            "popsize": population,
            "randn": lambda *shape: random.standard_normal(shape),
            "seed": float("nan"),  # leave the state of np.random alone
            "verbose": -9,
            "verb_log": 0,
        },
    )
    best, best_loss = start, float("inf")
    generations: list[Generation] = []
    for done in range(1, evaluations // population + 1):
        asked = strategy.ask()
        found = losses(asked)
        strategy.tell(asked, found)
        lowest = int(np.argmin(found))
        if found[lowest] < best_loss:
            best, best_loss = asked[lowest], found[lowest]
        generations.append(Generation(done * population, float(best_loss), float(np.median(found))))
        if reasons := strategy.stop():
            return Found(best, strategy.result.xfavorite, generations, ", ".join(sorted(reasons)))
    return Found(best, strategy.result.xfavorite, generations, "evaluations")
