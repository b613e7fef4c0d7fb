from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def repository():
    """The root of the repository; tests run with it as the working directory."""
    return Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def _at_the_root(repository, monkeypatch):
    monkeypatch.chdir(repository)
