"""A profile of two GPUs: two processes, one file."""

import json
import sys
from contextlib import nullcontext

import pytest

from headrace.errors import HeadraceError
from headrace.perf.profiler import launch, measuring, process, profile, run
from headrace.perf.profiler.ranks import Ranks

pytestmark = pytest.mark.filterwarnings("ignore:.*R2 .* is below 0.9")


def test_two_processes_write_one_file(files, tmp_path, capfd):
    model = run("tiny-tp2", *files, tmp_path / "tiny.json", device="cpu")
    assert model.tensor_parallel == 2 and model.kv_bytes_per_token == 512
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.json"]
    assert capfd.readouterr().err.count("about ") == 1
    assert len(json.loads((tmp_path / "tiny.json").read_text())["provenance"]["devices"]) == 2


def test_a_process_that_fails_ends_the_run_with_nothing_written(files, tmp_path, monkeypatch, capfd):
    failing = [sys.executable, "-c", "print('out of memory'); raise SystemExit(3)"]
    follow, commands = launch.follow, []
    monkeypatch.setattr(launch, "follow", lambda command: commands.append(command) or follow(failing))
    further = {"model": "tiny", "device": "cpu", "eager": True, "date": "2026-01-01"}
    with pytest.raises(HeadraceError, match="a process failed, torchrun ended with 3; its words are above"):
        run("tiny-tp2", *files, tmp_path / "tiny.json", **further)
    assert {"--nproc-per-node=2", "--model=tiny", "--eager", "--date=2026-01-01"} < set(commands[0])
    assert capfd.readouterr().err == "out of memory\n"
    assert list(tmp_path.iterdir()) == []


def test_too_few_processes_are_refused(files, tmp_path):
    with pytest.raises(HeadraceError, match="1 processes were started for tensor_parallel 2"):
        profile("tiny-tp2", *files, tmp_path / "tiny.json", device="cpu")


def test_only_the_first_process_writes(files, tmp_path, monkeypatch, capfd):
    for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"):
        monkeypatch.setenv(name, "2")
    monkeypatch.setattr(process, "joined", lambda device: nullcontext(Ranks(1, 2, device)))
    monkeypatch.setattr(Ranks, "_reduced", lambda self, numbers, operation: list(numbers))
    monkeypatch.setattr(measuring, "measure_all", lambda *_: None)
    assert profile("tiny-tp2", *files, tmp_path / "tiny.json", device="cpu") is None
    assert list(tmp_path.iterdir()) == [] and capfd.readouterr().err == ""
