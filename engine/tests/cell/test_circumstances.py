"""What a run says of where it ran; on any machine."""

import time
from datetime import UTC, datetime

from headrace import circumstances as module
from headrace.circumstances import circumstances, cpu, versions


def test_it_says_when_where_and_by_what():
    started = time.perf_counter() - 2.0
    told = circumstances(started)
    assert 2.0 <= told["wall_s"] < 3.0
    finished = datetime.fromisoformat(told["finished_at"])
    assert abs((datetime.now(UTC) - finished).total_seconds()) < 5
    assert set(told["packages"]) == {"numpy", "polars"}
    assert told["os"] and told["python"] and told["cpu"]


def test_the_processor_has_its_name_and_number(tmp_path, monkeypatch):
    info = tmp_path / "cpuinfo"
    info.write_text("processor\t: 0\nmodel name\t: Some  CPU @ 2 GHz\nmodel name\t: Another\n")
    monkeypatch.setattr(module, "CPUINFO", info)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 6)
    assert cpu() == "Some CPU @ 2 GHz, 6 logical CPUs"


def test_without_its_name_the_architecture_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CPUINFO", tmp_path / "missing")
    monkeypatch.setattr(module.platform, "processor", lambda: "")
    monkeypatch.setattr(module.platform, "machine", lambda: "aarch64")
    assert cpu().startswith("aarch64, ")


def test_packages_that_are_not_there_are_left_out():
    assert list(versions(("numpy", "no-such-package"))) == ["numpy"]
