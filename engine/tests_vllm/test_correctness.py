"""Whatever the policy evicts, and however a prompt arrived: the tokens are those of the whole prompt."""

from functools import partial

import pytest
from cases import MOST_OUTPUT, Cases
from checks import record
from configurations import configurations
from drive import answers, serve

CASES = 38  # per configuration, finished or cancelled
CLOSE_CALL = 1e-3  # in log probability: another order of adding up could choose the other token
CANCELLED = 0.08
SEEDS = (5, 6)  # of the configurations

ALL = [configuration for seed in SEEDS for configuration in configurations(seed)]


def answered_cases(engine, seed, count, cancelled=CANCELLED, way=None):
    """So many cases whose answer leaves no doubt, and the answers.

    `way`, if given, makes a case of one of the prompts, which then all begin like others do.
    """
    source, kept = Cases(seed, shared=1.0 if way else 0.5), []
    while len(kept) < count:
        prompts = [source.prompt() for _ in range(count - len(kept))]
        lengths = [source.draw.randint(1, MOST_OUTPUT) for _ in prompts]
        tokens, gaps = answers(engine, prompts, lengths)
        kept += [row for row in zip(prompts, lengths, tokens, gaps, strict=True) if row[3] > CLOSE_CALL]
    make = partial(way, source) if way else partial(source.case, cancelled=cancelled)
    cases = [make(prompt, length) for prompt, length, _, _ in kept]
    return cases, [tokens for _, _, tokens, _ in kept]


@pytest.mark.parametrize("number", range(len(ALL)), ids=str)
def test_random_cases_are_answered_like_whole_prompts(engine, number, capsys):
    configuration = ALL[number]
    cases, expected = answered_cases(engine, number, CASES)
    configuration.apply(engine)
    outcome = serve(engine, cases, configuration.clients)
    wrong, leaked = outcome.wrong(expected), engine.leaked_blocks()
    compared = len(outcome.tokens) + len(outcome.failed)
    counts = engine.scheduler.counts
    with capsys.disabled():
        print(
            f"\n{number + 1} of {len(ALL)}: {configuration}: {compared} cases, {outcome.cancelled} cancelled,"
            f" {len(wrong)} wrong, {leaked} leaked; preempted {counts.preemptions_recompute} by recompute,"
            f" {counts.preemptions_swap} by swap; {counts.invalidated_tokens} tokens invalidated",
            end="",
            flush=True,
        )
    record(cases=compared, wrong=len(wrong), leaked_blocks=leaked)
    assert compared + outcome.cancelled == CASES
    assert not outcome.failed
    assert not wrong, (configuration, [(place, cases[place].kind) for place in wrong])
    assert leaked == 0
    assert not engine.scheduler.served and not engine.scheduler.streams
