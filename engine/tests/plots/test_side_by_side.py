"""A figure twice on the same axes: simulated, and from run logs."""

import pytest

from headrace.errors import HeadraceError
from headrace.plots import side_by_side, style

PROVENANCE = {
    "simulated (silicon tables)": "simulated; performance model h200-tp2.made-up",
    "published run logs": "read from the study's run logs; 1 of 4 runs are missing, see runs.csv",
}
PLACES = (("crawler", 0.5), ("crawler", 4.0), ("anns", 0.25), ("anns", 2.0))


@pytest.fixture
def sides(fabricate, as_logs):
    """Simulated cells of three worlds; slower runs, one of them missing."""
    logs = [
        as_logs(fabricate(workload, policy, qps, worlds=1, slowness=9.0))
        for workload, qps in PLACES
        for policy in ("default_vllm", "fcfs")
        if (policy, qps) != ("fcfs", 2.0)
    ]
    simulated = [
        fabricate(workload, policy, qps) for workload, qps in PLACES for policy in ("default_vllm", "fcfs")
    ]
    return simulated, logs


@pytest.mark.parametrize("figure", list(side_by_side.FIGURES))
def test_both_sides_have_headings_the_same_limits_and_one_legend(figure, sides, reference, kept, tmp_path):
    side_by_side.draw(*sides, reference, tmp_path / figure, PROVENANCE, figure)
    (whole,) = kept
    left, right = whole.subfigs
    assert [side.get_suptitle() for side in whole.subfigs] == list(PROVENANCE)
    assert len(left.axes) == len(right.axes) > 1
    for one, other in zip(left.axes, right.axes, strict=True):
        assert one.get_xlim() == other.get_xlim()
        assert one.get_ylim() == other.get_ylim()
        assert one.get_title() == other.get_title()
    assert len(whole.legends) == 1 and not left.legends and not right.legends
    text = " ".join(whole.get_supxlabel().split())
    for provenance in PROVENANCE.values():
        assert provenance in text


def test_limits_hold_what_both_sides_draw(sides, reference, kept, tmp_path):
    side_by_side.draw(*sides, reference, tmp_path / "fig7", PROVENANCE, "fig7")
    for side in kept[0].subfigs:
        low, high = side.axes[0].get_ylim()
        for other in kept[0].subfigs:
            for line in other.axes[0].lines:
                assert all(low < y < high for y in line.get_ydata() if y == y)


def test_the_svg_is_the_same_twice(sides, reference, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "FORMATS", ("svg",))
    simulated, logs = sides
    for name, order in (("one", 1), ("two", -1)):
        side_by_side.draw(simulated[::order], logs[::order], reference, tmp_path / name, PROVENANCE, "fig12")
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_bad_input_is_one_line_and_nothing_is_written(sides, reference, tmp_path):
    simulated, logs = sides
    out = tmp_path / "out" / "fig5"
    cases = [
        ((simulated, logs, "fig55"), "'fig55' is not drawn side by side; did you mean 'fig5'?"),
        ((simulated, [], "fig5"), "fig5, logs: no cell of the main grid is there"),
        (
            (logs, simulated, "fig5"),
            "fig5, simulated: cells have backend=published; give cells with backend=sim",
        ),
        (([*simulated, *logs], logs, "fig5"), "more than one backend: published, sim"),
    ]
    for (one, other, figure), line in cases:
        with pytest.raises(HeadraceError) as error:
            side_by_side.draw(one, other, reference, out, PROVENANCE, figure)
        assert line in str(error.value)
    assert not out.parent.exists()
