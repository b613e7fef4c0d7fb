"""What is taken from the counts, and that it is taken once."""

from dataclasses import fields

from headrace.vllm.counts import SUMS, Counts, ttfts


def test_sums_are_taken_once_and_the_level_stays():
    counts = Counts(streams_opened=3, chunks_update=2, open_streams=2)
    counts.first_token(0.25)
    counts.first_token(1.5)
    taken = counts.take()
    assert taken.pop("open_streams") == 2
    assert ttfts(taken) == [0.25, 1.5]
    assert {name: n for name, n in taken.items() if name in SUMS} == {"streams_opened": 3, "chunks_update": 2}
    assert counts.take() == {"open_streams": 2}


def test_everything_taken_is_a_whole_number():
    counts = Counts(**{name: i for i, name in enumerate(SUMS, start=1)})
    counts.first_token(0.1)
    taken = counts.take()
    assert all(type(n) is int for n in taken.values())
    assert len(taken) == len(fields(Counts))
