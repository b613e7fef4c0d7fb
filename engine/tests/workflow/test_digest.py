"""Digests follow imports, so that an edit re-runs what it changed and nothing else."""

import os
from textwrap import dedent

import pytest

from headrace import digest as module
from headrace.digest import digest, listing
from headrace.errors import HeadraceError

SOURCES = {
    "__init__.py": "",
    "cell.py": """
        import json
        from headrace.pool import Pool, tool
        def run():
            from headrace.late import late
    """,
    "late.py": "late = 1\n",
    "other.py": "other = 1\n",
    "pool/__init__.py": """
        from headrace.pool.block import Pool
        from headrace.pool.swap import Swap
    """,
    "pool/block.py": """
        from headrace import shared
        class Pool: ...
    """,
    "pool/swap.py": "class Swap: ...\n",
    "pool/tool.py": "",
    "shared.py": "",
    "lazy/__init__.py": "def __getattr__(name): ...\n",
    "lazy/hidden.py": "",
    "uses_lazy.py": "from headrace.lazy import hidden_name\n",
    "defined/__init__.py": """
        from headrace import other
        LIMIT = 3
    """,
    "uses_defined.py": "from headrace.defined import LIMIT\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of a few files; returns a function that edits one."""
    monkeypatch.setattr(module, "SOURCES", tmp_path)

    def edit(name, text):
        file = tmp_path / "headrace" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text))
        module._assets.cache_clear()
        module._imports.cache_clear()
        module._tree.cache_clear()

    for name, text in SOURCES.items():
        edit(name, text)
    return edit


def changed(package, entry, edited):
    """Whether an edit to the file `edited` changes the digest of the module `entry`."""
    before = digest(entry)
    package(edited, dedent(SOURCES[edited]) + "# edited\n")
    return digest(entry) != before


@pytest.mark.parametrize("edited", ["cell.py", "pool/block.py", "pool/tool.py", "shared.py", "late.py"])
def test_what_is_imported_counts(package, edited):
    assert changed(package, "headrace.cell", edited)


@pytest.mark.parametrize("edited", ["other.py", "pool/swap.py", "lazy/hidden.py"])
def test_what_is_not_imported_does_not_count(package, edited):
    assert not changed(package, "headrace.cell", edited)


def test_a_name_made_at_run_time_takes_the_whole_package(package):
    assert changed(package, "headrace.uses_lazy", "lazy/hidden.py")


@pytest.mark.parametrize("edited", ["defined/__init__.py", "other.py"])
def test_a_name_defined_by_a_package_takes_what_that_imports(package, edited):
    assert changed(package, "headrace.uses_defined", edited)


def test_an_import_added_by_the_edit_counts_from_then_on(package):
    package("late.py", "import headrace.other\n")
    assert changed(package, "headrace.cell", "other.py")


def test_modules_are_named_together(package):
    assert digest("headrace.other", "headrace.late") == digest("headrace.late", "headrace.other")
    assert digest("headrace.other") != digest("headrace.other", "headrace.late")


def test_a_module_that_is_not_there_is_an_error(package):
    with pytest.raises(HeadraceError, match=r"^digest: no module 'headrace.cel'"):
        digest("headrace.cel")


def test_what_is_skipped_does_not_count(package):
    before = digest("headrace.cell", skip=["headrace.late"])
    assert before != digest("headrace.cell")
    package("late.py", "late = 2\n")
    assert digest("headrace.cell", skip=["headrace.late"]) == before


def sources(*modules, skip=()):
    """Files of the real package behind a digest, relative to it."""
    found = set()
    for name in modules:
        module._collect(module._file(name), found, {module._file(other) for other in skip})
    return {file.relative_to(module.SOURCES / "headrace").as_posix() for file in found}


def test_cells_depend_on_their_own_policy_only():
    policies = {f"scheduling/policies/{name}.py" for name in ("default_vllm", "fcfs", "lcas", "mcps")}
    assert not sources("headrace.cell") & policies
    assert sources("headrace.cell", "headrace.scheduling.policies.lcas") & policies == {
        "scheduling/policies/lcas.py"
    }


def test_a_generated_workload_depends_on_its_own_generator_only():
    found = sources("headrace.workload.generate", skip=["headrace.workload.synthetic_anns"])
    assert "workload/synthetic_crawler.py" in found
    assert "workload/synthetic_anns.py" not in found


@pytest.mark.parametrize("forbidden", ["plots/", "metrics/", "scorecard/", "study.py", "cli/", "config.py"])
def test_cells_do_not_depend_on_what_comes_after_them(forbidden):
    assert not [file for file in sources("headrace.cell") if file.startswith(forbidden)]


def test_a_timing_does_not_depend_on_what_scores_cells():
    """It takes the whole machine to itself: an edit to a score is no reason to do that again."""
    found = sources("headrace.tables.sched_latency")
    assert "timing/scheduling_pass.py" in found
    assert not found & {"scorecard/score.py", "scorecard/samples.py", "metrics/cell.py", "tables/document.py"}


def test_a_digest_is_the_same_wherever_the_package_lies(tmp_path, package):
    here = digest("headrace.cell")
    module.SOURCES = tmp_path / "elsewhere"
    (tmp_path / "headrace").rename(tmp_path / "moved")
    module.SOURCES.mkdir()
    (tmp_path / "moved").rename(module.SOURCES / "headrace")
    assert digest("headrace.cell") == here


def test_a_listing_changes_with_any_file_at_any_depth(tmp_path):
    inner = tmp_path / "a" / "trace.csv"
    inner.parent.mkdir()
    inner.write_text("1")
    seen = {listing(tmp_path)}
    assert listing(tmp_path) in seen
    inner.write_text("2")
    os.utime(inner, ns=(0, 1))
    seen.add(listing(tmp_path))
    (tmp_path / "b.csv").write_text("")
    seen.add(listing(tmp_path))
    inner.unlink()
    seen.add(listing(tmp_path))
    assert len(seen) == 4


def test_a_listing_follows_links_but_not_back_up(tmp_path):
    data, far = tmp_path / "data", tmp_path / "far/run"
    for folder in (data, far):
        folder.mkdir(parents=True)
    (far / "log.csv").write_text("1")
    (data / "run_log").symlink_to(far.parent)
    (far / "again").symlink_to(far.parent)
    (far / "broken").symlink_to("nowhere")
    before = listing(data)
    assert before == listing(data)
    os.utime(far / "log.csv", ns=(0, 1))
    assert listing(data) != before


@pytest.mark.parametrize("asset", ["shared.css", "shared.js"])
def test_style_and_script_of_a_page_count(package, asset):
    before = digest("headrace.pool.block"), digest("headrace.late")
    package(asset, "new")
    assert digest("headrace.pool.block") != before[0]
    assert digest("headrace.late") == before[1]
