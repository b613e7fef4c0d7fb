"""What the documents promise is there."""

import re
from pathlib import Path

import pytest

RULE = re.compile(r"^(?:rule|checkpoint|use rule \w+ as) (\w+)(?: with)?:", re.M)
RULES_OF_A_LOOP = re.compile(r"^ +rule:\n +\"\"\".*\"\"\"\n +name:\n +f\"(\w+?)_{", re.M)
SHARED_SCRIPTS = {"figure", "table", "cells_on_vllm"}
ROOT = Path(__file__).parents[3]
DOCUMENTS = [
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md"),
    *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "data").rglob("README.md")),
    *sorted(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document, repository):
    text = (repository / document).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    for link in links:
        path, _, section = link.partition("#")
        target = (repository / document).parent / path if path else repository / document
        assert target.exists(), link
        if section:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.M)
            assert section in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_target_is_in_the_table_of_figures(repository):
    text = (repository / "docs/figures.md").read_text(encoding="utf-8")
    rules = "\n".join(path.read_text(encoding="utf-8") for path in repository.glob("workflow/rules/*.smk"))
    targets = {name for name in RULE.findall(rules) if name.startswith("stream2llm_")}
    assert targets
    assert {name for name in targets if f"`{name}`" not in text and name not in text} == set()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_make_targets_exist(document, repository):
    targets = set(re.findall(r"^([a-z-]+):", (repository / "Makefile").read_text(encoding="utf-8"), re.M))
    text = (repository / document).read_text(encoding="utf-8")
    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.M)) <= targets


def test_rules_in_the_readme_exist(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    rules = "\n".join(path.read_text(encoding="utf-8") for path in repository.glob("workflow/rules/*.smk"))
    named = set(re.findall(r"--profile profiles/local (\w+)`", text))
    assert named
    assert named <= {*RULE.findall(rules), "stream2llm"}


def test_every_module_folder_and_document_is_in_the_tree_of_the_readme(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    package = repository / "engine/headrace"
    names = [path.name for path in package.iterdir() if not path.name.startswith("_")]
    names += [path.name for path in repository.glob("workflow/rules/*.smk")]
    assert [name for name in names if name not in text] == []


def test_every_rule_has_its_script(repository):
    rules = "\n".join(path.read_text(encoding="utf-8") for path in repository.glob("workflow/rules/*.smk"))
    _, *parts = re.split(f"{RULE.pattern}|{RULES_OF_A_LOOP.pattern}", rules, flags=re.M)
    names = [single or looped for single, looped in zip(parts[::3], parts[1::3], strict=True)]
    blocks = dict(zip(names, parts[2::3], strict=True))
    script_line = re.compile(r"\.\./scripts/(\w+)\.py\"")
    used = {name: found for name, block in blocks.items() if (found := script_line.findall(block))}
    assert {script for (script,) in used.values()} == {
        path.stem for path in repository.glob("workflow/scripts/*.py")
    }
    for name, (script,) in used.items():
        assert script == name or script in SHARED_SCRIPTS
        missing = {"log:", "benchmark:", "resources:", "conda:", "params:"} - set(blocks[name].split())
        assert not missing, f"{name} lacks {missing}"


def test_a_rule_that_inherits_has_its_own_log_benchmark_and_sources(repository):
    rules = "\n".join(path.read_text(encoding="utf-8") for path in repository.glob("workflow/rules/*.smk"))
    heirs = re.split(r"^use rule \w+ as ", rules, flags=re.M)[1:]
    assert heirs
    for heir in heirs:
        block = re.split(r"^(?:rule|checkpoint) ", heir, flags=re.M)[0]
        name = block.split()[0]
        assert re.search(rf"<logs>/stream2llm/{name}(/{{\w+}})?\.log", block)
        assert re.search(rf"<benchmarks>/stream2llm/{name}(/{{\w+}})?\.tsv", block)
        assert "sources=digest(" in block
