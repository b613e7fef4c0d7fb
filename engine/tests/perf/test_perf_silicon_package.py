from pathlib import Path

import pytest

from headrace.errors import HeadraceError
from headrace.perf import build

pytest.importorskip("aisimulate", reason="only regenerates what is committed; pip install headrace[silicon]")

ROOT = Path(__file__).parents[3]
HARDWARE, MODELS = ROOT / "config" / "hardware.yaml", ROOT / "config" / "models.yaml"


@pytest.mark.parametrize("hardware", ["h200-tp2", "h100-tp2"])
def test_the_committed_model_is_what_the_package_gives(tmp_path, hardware):
    out = tmp_path / "model.json"
    build("silicon", hardware, HARDWARE, MODELS, out)
    committed = ROOT / "data" / "perf_models" / f"{hardware}.llama-3.1-8b.silicon.json"
    assert out.read_bytes() == committed.read_bytes()


@pytest.mark.parametrize(("old", "new"), [("system: h200_sxm", "system: h2000_sxm"), ('"0.24.0"', '"0.0.1"')])
def test_what_the_package_lacks_is_refused_in_one_line(tmp_path, old, new):
    hardware = tmp_path / "hardware.yaml"
    hardware.write_text(HARDWARE.read_text().replace(old, new))
    with pytest.raises(HeadraceError, match="h200-tp2: key silicon: aisimulate refuses it") as error:
        build("silicon", "h200-tp2", hardware, MODELS, tmp_path / "out.json")
    assert "\n" not in str(error.value) and not (tmp_path / "out.json").exists()
