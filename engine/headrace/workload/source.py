"""Where a workload comes from: generated, the published data set, or a folder of traces."""

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from headrace.errors import HeadraceError, nearest

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
    out = Path(out)
    temporary = None
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        huggingface_hub.snapshot_download(
            repo_id=repo,
            repo_type="dataset",
            revision=revision,
            local_dir=temporary,
            allow_patterns=[(PurePosixPath(folder) / "*").as_posix() for folder in folders] or None,
        )
        if out.exists():
            shutil.rmtree(out)
        temporary.chmod(0o755)
        temporary.replace(out)
    except Exception as error:  # The hub's client lets exceptions of its network library through.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise HeadraceError(
            f"data set {repo} at {revision}",
            f"can't be downloaded to {out} ({reason})",
            "check repo, revision, network and disk space",
        ) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                shutil.rmtree(temporary)
