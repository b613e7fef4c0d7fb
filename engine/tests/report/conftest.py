"""Pages read as a browser does, and the files of a made-up study."""

import json
from pathlib import Path

import pytest
from web_page import Page


@pytest.fixture
def read_page():
    """Parse a page, given as markup or as a file; fails where it is not closed or would load something."""

    def read(page: str | Path) -> Page:
        found = Page(page.read_text(encoding="utf-8") if isinstance(page, Path) else page)
        assert found.open == []
        assert found.loads == []
        assert "@import" not in found.markup
        assert "url(" not in found.markup
        return found

    return read


@pytest.fixture
def leave():
    """Write the cell.json and run.json of a made-up cell beside its requests table; returns the two."""

    def write(requests: Path, load: float = 0.5, **run: object) -> tuple[Path, Path]:
        axes = dict(folder.split("=") for folder in requests.parent.parts[-8:])
        cell = {
            "spec": {"source": "synthetic", "queries": 60, "worlds": 3},
            "backend": "sim",
            "version": "9.8.7",
            "perf_model": {
                "file": f"data/perf_models/{axes['hardware']}.llama.silicon.json",
                "gpu": "NVIDIA H200 SXM",
                "tensor_parallel": 2,
                "provider": "silicon",
                "sha256": "0123456789abcdef" * 4,
            },
            "worlds": [{"world": world, "offered_load": load} for world in range(3)],
        }
        circumstances = {
            "commit": "abc1234-dirty",
            "cpu": "Some CPU, 2 logical CPUs",
            "finished_at": "2026-01-02T03:04:05+00:00",
            "host": "there",
            "os": "Linux-1",
            "packages": {"polars": "2.1.0"},
            "python": "3.11.7",
            "wall_s": 5.0,
        }
        files = requests.with_name("cell.json"), requests.with_name("run.json")
        for file, content in zip(files, (cell, circumstances | run), strict=True):
            file.write_text(json.dumps(content), encoding="utf-8")
        return files

    return write
