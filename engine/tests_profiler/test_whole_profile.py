"""A profile from the command to the file, on the CPU."""

import io
import re
import subprocess
import sys
from contextlib import redirect_stderr
from pathlib import Path

import pytest

from headrace.errors import HeadraceError
from headrace.perf import PerfModel
from headrace.perf.profiler import devices, profile, run
from headrace.perf.profiler.__main__ import main
from headrace.perf.profiler.swaps import Swaps

pytestmark = pytest.mark.filterwarnings("ignore:.*R2 .* is below 0.9")


@pytest.fixture(scope="module")
def made(files, tmp_path_factory):
    """The file of one process, and what was said on the way."""
    out = tmp_path_factory.mktemp("profile") / "tiny.json"
    options = [f"--hardware-file={files[0]}", f"--models-file={files[1]}", f"--out={out}"]
    said = io.StringIO()
    with redirect_stderr(said):
        main(["--hardware=tiny-tp1", *options, "--device=cpu", "--date=2026-01-01"], standalone_mode=False)
    return out, said.getvalue()


def test_the_file_is_a_performance_model(made):
    model = PerfModel.load(made[0], model="tiny", tensor_parallel=1)
    assert model.provider == "profiled" and model.hardware == "tiny-tp1"
    assert model.recompute.tokens == model.swap.tokens == (16, 32, 64, 128, 256, 512, 1024)
    assert {len(repeats) for repeats in model.recompute.latency_s} == {5}
    assert {len(repeats) for repeats in model.swap.in_s + model.swap_per_block.out_s} == {5}
    assert model.step.tokens[0] == 1 and model.step.tokens[-1] == 1024
    assert model.kv_bytes_per_token == 2 * 2 * 2 * 16 * 4


def test_the_file_says_how_it_was_made(made):
    said = PerfModel.load(made[0]).provenance
    assert said["device"] == "cpu" and "a CPU, which says nothing about any GPU" in said["how"]
    assert PerfModel.load(made[0]).gpu == "none: measured on a CPU"
    assert said["date"] == "2026-01-01"
    assert {"torch", "transformers"} <= said["software"].keys()
    assert said["repeats"]["recompute_and_swap"] == 7 and said["repeats"]["of_which_dropped"] == 2
    assert all(0 <= spread["median"] <= spread["max"] for spread in said["relative_std"].values())
    assert said["relative_std"].keys() == {"step", "recompute", "swap", "swap_per_block"}
    assert [1, 896, 128] not in [row[:3] for row in said["step_passes"]]
    assert [256, 1, 512] in [row[:3] for row in said["step_passes"]]
    assert said["suggested_swap_block_s"] >= 0


def test_the_cost_is_told_before_anything_is_measured(made):
    first, second, *_ = made[1].splitlines()
    assert re.match(r"profiling tiny on 1 x .+: \d+ measurements, about [\d.]+ GPU minutes", first)
    assert re.match(r"swap out: \d+ of \d+ measurements, \d+ s", second)


def test_a_place_that_cannot_be_written_is_noticed_before_measuring(files, tmp_path, capfd):
    (tmp_path / "folder").write_text("a file where a folder is needed")
    with pytest.raises(HeadraceError, match="can't be written"):
        run("tiny-tp1", *files, tmp_path / "folder" / "tiny.json", device="cpu")
    assert "profiling" not in capfd.readouterr().err


def test_an_interrupted_profile_leaves_nothing(files, tmp_path, monkeypatch):
    def interrupt(self, blocks):
        raise KeyboardInterrupt

    monkeypatch.setattr(Swaps, "in_per_block", interrupt)
    with pytest.raises(KeyboardInterrupt):
        profile("tiny-tp1", *files, tmp_path / "tiny.json", device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_memory_that_is_taken_is_noticed(files, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "free_room", lambda ranks: devices.Room(100_000, 10**9))
    with pytest.raises(HeadraceError, match=r"tiny needs 0\.0 GiB on each of 1 GPUs, 0\.0 GiB are free"):
        profile("tiny-tp1", *files, tmp_path / "tiny.json", device="cpu")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="there is a GPU")
def test_without_a_gpu_the_command_is_one_line(files, tmp_path):
    models = tmp_path / "models.yaml"
    models.write_text(files[1].read_text().replace("float32", "bfloat16"))
    options = [f"--hardware-file={files[0]}", f"--models-file={models}", f"--out={tmp_path / 'x.json'}"]
    command = [sys.executable, "-m", "headrace.perf.profiler", "--hardware=tiny-tp1", *options]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "1 x NVIDIA A40 are needed, torch sees 0: none" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["models.yaml"]
