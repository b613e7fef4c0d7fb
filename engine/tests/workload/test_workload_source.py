import shutil
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.utils import filter_repo_objects

from headrace.workload import fetch, read_table, read_traces, source_kind


@pytest.fixture
def hub(monkeypatch, repository):
    """A hub whose only data set holds the sample traces, below folders of its own."""
    asked = []

    def download(repo_id: str, repo_type: str, revision: str, local_dir: Path, allow_patterns) -> str:
        asked.append((repo_id, repo_type, revision))
        files = [path.relative_to(repository / "data") for path in (repository / "data/traces").rglob("*.*")]
        for file in filter_repo_objects([file.as_posix() for file in files], allow_patterns=allow_patterns):
            target = Path(local_dir) / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / "data" / file, target)
        return str(local_dir)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def test_the_published_data_set_is_fetched_and_read(hub, word_tokeniser, tmp_path):
    out = tmp_path / "a" / "published"
    for _ in range(2):
        fetch("someone/some-data", "0123abc", out)
    assert hub == [("someone/some-data", "dataset", "0123abc")] * 2
    assert [path.name for path in out.parent.iterdir()] == ["published"]
    for name in ("crawler", "anns"):
        chunks = tmp_path / f"{name}.parquet"
        read_traces(name, out, word_tokeniser, 1, chunks, progress=False, queries=3)
        assert read_table(chunks)["query_id"].n_unique() == 3


@pytest.mark.parametrize(
    "folder", ["traces/crawler_sample", "traces/crawler_sample/", "./traces/crawler_sample"]
)
def test_only_the_named_folders_are_fetched(hub, tmp_path, folder):
    fetch("someone/some-data", "0123abc", tmp_path / "published", [folder])
    assert [path.name for path in (tmp_path / "published/traces").iterdir()] == ["crawler_sample"]


@pytest.mark.parametrize("revision", [None, ""])
def test_no_download_without_a_revision(hub, tmp_path, refused, revision):
    with refused("published.revision", "is not set", "https://huggingface.co/datasets/someone/some-data"):
        fetch("someone/some-data", revision, tmp_path / "published")
    assert hub == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        ValueError("not a repo id"),
        RuntimeError("a\nb"),
        ConnectionError(),
    ],
)
def test_a_download_that_fails_leaves_nothing_behind(monkeypatch, tmp_path, refused, error):
    def download(local_dir: Path, **_) -> None:
        Path(local_dir, "half").write_text("half")
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with refused("data set someone/some-data at 0123abc", "can't be downloaded"):
        fetch("someone/some-data", "0123abc", tmp_path / "published")
    assert list(tmp_path.iterdir()) == []


def test_kinds_of_sources(tmp_path, refused):
    assert source_kind("synthetic") == "synthetic"
    assert source_kind("published") == "published"
    assert source_kind(str(tmp_path)) == "path"
    with refused("no folder 'syntetic'", "did you mean 'synthetic'?", "a folder of traces"):
        source_kind("syntetic")
