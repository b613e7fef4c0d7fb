"""What the documents promise is there."""

import re

import pytest

RULE = re.compile(r"^(?:rule|checkpoint|use rule \w+ as) (\w+)(?: with)?:", re.M)
SHARED_SCRIPTS = {"figure", "table"}
DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "config/README.md", "data/README.md"]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document, repository):
    text = (repository / document).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if not (repository / document).parent.joinpath(link).exists()] == []


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
    _, *parts = RULE.split(rules)
    blocks = dict(zip(parts[::2], parts[1::2], strict=True))
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
        assert f"/{name}.log" in block
        assert f"/{name}.tsv" in block
        assert "sources=digest(" in block
