"""Where a workload comes from: generated, the published data set, or a folder of traces."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from headrace.errors import HeadraceError, nearest
from headrace.files import atomic_folder

SOURCES = ("synthetic", "published")


def source_kind(source: str) -> str:
    """synthetic | published | path. Raises HeadraceError for a word that is neither of these nor a
    folder."""
    if source in SOURCES:
        return source
    if not Path(source).is_dir():
        raise HeadraceError(
            "workload source", f"no folder {source!r}", f"{nearest(source, SOURCES)}, else a folder of traces"
        )
    return "path"


def fetch(repo: str, revision: str | None, out: Path, folders: Sequence[str] = ()) -> None:
    """Download `folders` (all, if none is named) of the data set `repo` of the Hugging Face hub at
    `revision` (a commit) into the folder `out`, which is whole or not there.

    Raises HeadraceError when no revision is named, and when the hub can't be reached or has no such
    data set or revision.
    """
    if not revision:
        raise HeadraceError(
            "published.revision",
            "is not set",
            f"name the commit of https://huggingface.co/datasets/{repo} that is to be downloaded",
        )
    try:
        import huggingface_hub
    except ImportError as error:
        raise HeadraceError(
            "workload source", "huggingface_hub is not installed", "pip install 'headrace[tokenise]'"
        ) from error
    try:
        with atomic_folder(out) as temporary:
            huggingface_hub.snapshot_download(
                repo_id=repo,
                repo_type="dataset",
                revision=revision,
                local_dir=temporary,
                allow_patterns=[(PurePosixPath(folder) / "*").as_posix() for folder in folders] or None,
            )
    except HeadraceError:
        raise
    except Exception as error:  # The hub's client lets exceptions of its network library through.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise HeadraceError(
            f"data set {repo} at {revision}",
            f"can't be downloaded to {out} ({reason})",
            "check repo, revision, network and disk space",
        ) from error
