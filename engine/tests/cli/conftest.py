from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headrace.cli import main

MINE = '''\
from headrace.scheduling import Policy


class Mine(Policy):
    """Fewest tokens left first."""
    moves_when_computed = True

    @staticmethod
    def key(request):
        return request.prompt - request.computed, request.opened_s, request.id
'''


@pytest.fixture
def headrace(tmp_path: Path, monkeypatch) -> Callable[..., Result]:
    """Runs the command in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture
def mine(tmp_path: Path) -> Callable[[str], Path]:
    """Writes mine.py."""

    def write(text: str = MINE) -> Path:
        (tmp_path / "mine.py").write_text(text)
        return tmp_path / "mine.py"

    return write
