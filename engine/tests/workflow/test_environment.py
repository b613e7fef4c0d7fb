"""Locked packages: one version of each everywhere, nothing about where they came from."""

import re
import tomllib
from collections import defaultdict

import pytest
import yaml

LOCKS = ["envs/headrace.lock", "envs/silicon.lock", "envs/profile.lock"]


def pins(repository, lock):
    """Versions by package; a package may have several, for several versions of Python."""
    versions = defaultdict(set)
    text = (repository / lock).read_text(encoding="utf-8")
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", text, re.M):
        versions[name].add(version)
    return versions


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_has_a_hash_and_no_place(lock, repository):
    text = (repository / lock).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry.splitlines()[0])
    assert not re.search(r"https?://|file:|--index|--find-links|--extra-index", text)


@pytest.mark.parametrize("lock", LOCKS[1:])
def test_locks_can_be_installed_on_top_of_the_first(lock, repository):
    headrace, more = pins(repository, LOCKS[0]), pins(repository, lock)
    common = more.keys() & headrace.keys()
    assert common
    assert [name for name in sorted(common) if more[name] != headrace[name]] == []


@pytest.mark.parametrize("environment", ["envs/headrace.yaml", "envs/silicon.yaml", "envs/profile.yaml"])
def test_conda_environments_have_the_locked_versions(environment, repository):
    *_, last = yaml.safe_load((repository / environment).read_text(encoding="utf-8"))["dependencies"]
    locked = pins(repository, environment.replace(".yaml", ".lock"))
    for requirement in last["pip"]:
        name, version = requirement.split("==")
        assert version in locked[name]


def test_what_the_package_needs_is_locked(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"]]
    for extra in extras.keys() - {"profile", "silicon"}:
        wanted += extras[extra]
    locked = {name.lower().replace("_", "-") for name in pins(repository, LOCKS[0])}
    names = {re.split(r"[<>=\[]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    assert names <= locked
