import copy
import math
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import matplotlib.axes
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headrace.errors import HeadraceError
from headrace.perf import Overheads, PerfModel, write_model
from headrace.perf.documents import recompute_section, swap_section
from headrace.perf.fit import Fit
from headrace.plots import fig4, style
from headrace.plots.latencies import Comparison, Latency, comparisons

TOKENS = [16, 32, 64, 128, 256, 512, 1024]
COMMITTED = Path(__file__).parents[3] / "data" / "perf_models"
NONE = asdict(Overheads.none())
SOFTWARE = NONE | {"step_s": 0.0064, "swap_block_s": 0.0008}
PROVENANCE = "made up"


def of(*coefficients):
    return Latency(Fit(tuple(coefficients), 1.0))


def comparison(recompute, swap):
    return Comparison("made up", of(*recompute), of(*swap), 16, 1024)


@pytest.fixture
def model(tmp_path):
    """Writes a model: recompute 10 ms, the same for any length; swap `token_s` per token, in + out."""

    def write(name="toy", *, token_s=5e-5, per_block_token_s=None, repeats=1, **keys):
        half = [[n * token_s / 2] * repeats for n in TOKENS]
        document = {
            "format": "headrace-perf-model/1",
            "hardware": "toy-tp2",
            "gpu": "Toy",
            "model": "llama-3.1-8b",
            "dtype": "bfloat16",
            "tensor_parallel": 2,
            "provider": "silicon",
            "provenance": {"how": "by hand"},
            "step": {
                "tokens": TOKENS,
                "dense_s": [0.01] * len(TOKENS),
                "attention_s_per_token_pair": 0.0,
                "decode_s_per_context_token": 0.0,
                "r2": 1.0,
                "max_rel_error": 0.0,
            },
            "recompute": recompute_section(TOKENS, [[0.01] * repeats] * len(TOKENS)),
            "swap": swap_section(TOKENS, half, half),
            "kv_bytes_per_token": 131072,
            "block_bytes": 2097152,
        }
        if per_block_token_s is not None:
            one_way = [[n * per_block_token_s / 2] * repeats for n in TOKENS[:4]]
            document["swap_per_block"] = swap_section(TOKENS[:4], one_way, one_way)
        path = tmp_path / f"{name}.json"
        write_model({**document, **keys}, path)
        return path

    return write


@pytest.fixture
def drawn(monkeypatch):
    """Every line (colour, marker, is it open, x, y), the notes, every part of a strip (row, from, to)."""
    found = {"lines": [], "notes": [], "parts": []}
    plot, barh = matplotlib.axes.Axes.plot, matplotlib.axes.Axes.barh

    def plotted(axes, x, y, **look):
        is_open = look.get("markerfacecolor") == "white"
        found["lines"].append((look.get("color"), look.get("marker"), is_open, list(x), list(y)))
        return plot(axes, x, y, **look)

    def barred(axes, row, width, left, **look):
        found["parts"].append((row, left, left + width, look["color"]))
        return barh(axes, row, width, left=left, **look)

    monkeypatch.setattr(style, "FORMATS", ("svg",))
    monkeypatch.setattr(matplotlib.axes.Axes, "plot", plotted)
    monkeypatch.setattr(matplotlib.axes.Axes, "barh", barred)
    monkeypatch.setattr(fig4, "note", lambda figure, *lines: found["notes"].extend(lines))
    return found


def draw(files, out, overheads=None, **options):
    options = {"token_budget": 64, "block_size": 16} | options
    fig4.draw(files, out, PROVENANCE, overheads={} if overheads is None else overheads, **options)


@pytest.mark.parametrize(
    ("recompute", "swap", "crossings", "cheaper"),
    [
        # 0.01 = 0.0001 n at 100 tokens
        ((0.01, 0, 0), (0, 1e-4, 0), [100], ["swap", "recompute"]),
        # 0.002 n = 0.02 + 0.00001 n^2 would be at 10.6 and 189.4 tokens; the first is not measured
        ((0.02, 0, 1e-5), (0, 2e-3, 0), [189.44271909999159], ["recompute", "swap"]),
        # n^2 - 300 n + 20,000 = (n - 100) (n - 200)
        ((20_000, 0, 1), (0, 300, 0), [100, 200], ["swap", "recompute", "swap"]),
        # equal at 100 tokens, and no cheaper on either side
        ((10_000, 0, 1), (0, 200, 0), [], ["swap"]),
        # n^2 = 10,000
        ((0, 0, 1), (10_000, 0, 0), [100], ["recompute", "swap"]),
        ((0.1, 1e-3, 0), (0, 1e-3, 0), [], ["swap"]),
        ((0, 1e-5, 0), (0, 1e-3, 0), [], ["recompute"]),
    ],
)
def test_crossings_by_hand(recompute, swap, crossings, cheaper):
    found = comparison(recompute, swap)
    assert found.crossings() == pytest.approx(crossings)
    parts = found.cheaper()
    assert [name for _, _, name in parts] == cheaper
    assert [low for low, _, _ in parts] == pytest.approx([16, *crossings])
    assert parts[-1][1] == 1024


coefficients = st.tuples(*[st.floats(0, 10, allow_subnormal=False).map(lambda x: round(x, 6))] * 3)


@given(coefficients, coefficients)
def test_parts_cover_the_range_and_name_the_cheaper(recompute, swap):
    parts = comparison(recompute, swap).cheaper()
    assume(all(high / low > 1.001 for low, high, _ in parts))
    assert parts[0][0] == 16 and parts[-1][1] == 1024
    for (_, end, cheaper), (start, _, then) in pairwise(parts):
        assert end == start and cheaper != then


def test_software_is_added_to_both_sides(model):
    loaded = PerfModel.load(model())
    alone, with_software = comparisons(loaded, SOFTWARE, token_budget=1024, block_size=16)
    # 0.01 = 0.00005 n; with one step of 6.4 ms and 2 x 0.8 ms per 16 tokens: 0.0164 = 0.00015 n
    assert alone.crossings() == pytest.approx([200])
    assert with_software.crossings() == pytest.approx([0.0164 / 0.00015])
    assert comparisons(loaded, None, 1024, 16) == [alone]


@pytest.mark.parametrize("provider", ["profiled", "published", "vllm"])
def test_no_software_is_added_to_what_was_measured(model, provider):
    loaded = PerfModel.load(model(provider=provider))
    assert len(comparisons(loaded, SOFTWARE, 1024, 16)) == 1


def test_fig4_draws_tables_fits_crossings_and_what_is_cheaper(model, drawn, tmp_path):
    draw([model()], tmp_path / "fig4", {"toy-tp2": SOFTWARE}, token_budget=1024)
    stars = [(x, y) for _, marker, _, x, y in drawn["lines"] if marker == "*"]
    assert stars[0] == (pytest.approx([200]), pytest.approx([0.01]))
    assert stars[1] == (pytest.approx([0.0164 / 0.00015]), pytest.approx([0.0164]))
    recompute, swap = [(x, y) for _, marker, _, x, y in drawn["lines"] if marker in ("o", "s")]
    assert recompute == (TOKENS, pytest.approx([0.01] * len(TOKENS)))
    assert swap == (TOKENS, pytest.approx([5e-5 * n for n in TOKENS]))
    colours = fig4.COLOURS
    assert drawn["parts"] == [
        (0, 16, pytest.approx(200), colours["swap"]),
        (0, pytest.approx(200), 1024, colours["recompute"]),
        (1, 16, pytest.approx(0.0164 / 0.00015), colours["swap"]),
        (1, pytest.approx(0.0164 / 0.00015), 1024, colours["recompute"]),
    ]
    note = " ".join(drawn["notes"])
    assert "Toy, TP2, llama-3.1-8b: silicon (by hand)." in note
    assert "0.0064 s per step of 1,024 tokens, 0.0008 s per block of 16 tokens" in note
    assert "repeats" not in note and note.endswith("made up.")


def test_a_profile_stands_beside_the_silicon_tables_of_its_gpu(model, drawn, tmp_path):
    profile = model(
        "profile",
        provider="profiled",
        hardware="another-name",
        token_s=1e-4,
        per_block_token_s=2e-4,
        repeats=5,
    )
    draw([model(), profile], tmp_path / "fig4", {"toy-tp2": SOFTWARE}, token_budget=1024)
    measured = [(marker, x, y) for _, marker, is_open, x, y in drawn["lines"] if is_open]
    assert [(marker, len(x)) for marker, x, _ in measured] == [("o", 7), ("s", 7), ("s", 4)]
    assert measured[2][2] == pytest.approx([2e-4 * n for n in TOKENS[:4]])
    stars = [x[0] for _, marker, _, x, _ in drawn["lines"] if marker == "*"]
    assert stars == pytest.approx([200, 0.0164 / 0.00015, 100, 50])
    assert {row for row, *_ in drawn["parts"]} == {0, 1, 2, 3}
    assert max(end for row, _, end, _ in drawn["parts"] if row == 3) == 128
    note = " ".join(drawn["notes"])
    assert "profiled (by hand)" in note and "silicon (by hand)" in note and "up to 5 repeats" in note


def test_models_of_another_gpu_or_size_have_their_own_panel(model):
    files = [model(), model("tp1", tensor_parallel=1), model("other", gpu="Other"), model("again")]
    panels = fig4._panels(files, {}, 64, 16)
    assert {title: len(rows) for title, rows in panels.items()} == {
        "Toy, TP2": 2,
        "Toy, TP1": 1,
        "Other, TP2": 1,
    }


def test_the_committed_pair_is_named_for_what_it_is(drawn, tmp_path):
    files = [next(COMMITTED.glob(f"{name}.*.json")) for name in ("h200-tp2", "a40-tp1")]
    draw(files, tmp_path / "fig4", {"h200-tp2": NONE, "a40-tp1": NONE}, token_budget=2048)
    h200, a40, *_ = drawn["notes"]
    assert h200.startswith("NVIDIA H200 SXM, TP2, llama-3.1-8b: silicon (")
    assert a40.startswith("NVIDIA A40, TP1, llama-3.1-8b: roofline (") and "nothing was measured" in a40
    assert not any(is_open for _, _, is_open, _, _ in drawn["lines"])


def test_a_fit_below_0_is_not_drawn(model, drawn, tmp_path):
    seconds = [[1e-6 * n * n] for n in TOKENS[:-1]] + [[1e-2]]
    draw([model(recompute=recompute_section(TOKENS, seconds))], tmp_path / "fig4")
    fit = next(y for _, marker, _, _, y in drawn["lines"] if marker is None)
    assert any(map(math.isnan, fit)) and all(math.isnan(y) or y > 0 for y in fit)


def test_all_formats_are_written_and_the_svg_twice_the_same(model, tmp_path):
    for name in ("one", "two"):
        draw([model(repeats=2)], tmp_path / name / "fig4", {"toy-tp2": SOFTWARE})
    assert {path.suffix for path in (tmp_path / "one").iterdir()} == {".svg", ".pdf", ".png"}
    first, second = (tmp_path / name / "fig4.svg" for name in ("one", "two"))
    assert first.read_bytes() == second.read_bytes()


def test_bad_input_is_one_line_and_nothing_is_written(model, tmp_path):
    out = tmp_path / "out" / "fig4"

    def refused(words, files, overheads=None):
        with pytest.raises(HeadraceError, match=words) as caught:
            draw(files, out, overheads)
        assert "\n" not in str(caught.value)

    refused("no performance model is given", [])
    refused("no such file", [tmp_path / "missing.json"])
    unknown = copy.copy(SOFTWARE) | {"swap_blok_s": 1.0}
    refused("hardware toy-tp2: key overheads: unknown key 'swap_blok_s'", [model()], {"toy-tp2": unknown})
    damaged = model("damaged")
    damaged.write_text(damaged.read_text().replace("0.01,", "0.02,", 1))
    refused("edited or damaged", [model(), damaged])
    damaged.write_text("{")
    refused("not valid JSON", [damaged])
    assert not out.parent.exists()


def test_the_largest_miss_of_a_fit_is_a_share_of_the_mean():
    """1 + n at 1, 2 and 3 tokens: 2, 3 and 4 s; the means are 4, 3 and 5 s."""
    missed = Latency(Fit((1.0, 1.0, 0.0), 0.9), (1, 2, 3), ((3.0, 5.0), (3.0,), (5.0,)))
    assert missed.largest_miss() == pytest.approx(0.5)
    assert Latency(Fit((1.0, 1.0, 0.0), 0.9)).largest_miss() == 0
