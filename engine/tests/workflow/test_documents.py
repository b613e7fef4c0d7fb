"""What the documents promise is there."""

import re

import pytest

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
    assert named <= set(re.findall(r"^rule (\w+):", rules, re.M))


def test_every_module_folder_and_document_is_in_the_tree_of_the_readme(repository):
    text = (repository / "README.md").read_text(encoding="utf-8")
    package = repository / "engine/headrace"
    names = [path.name for path in package.iterdir() if not path.name.startswith("_")]
    names += [path.name for path in repository.glob("workflow/rules/*.smk")]
    assert [name for name in names if name not in text] == []


def test_every_rule_has_its_script(repository):
    scripts = {path.stem for path in repository.glob("workflow/scripts/*.py")}
    rules = "\n".join(path.read_text(encoding="utf-8") for path in repository.glob("workflow/rules/*.smk"))
    blocks = re.split(r"^rule ", rules, flags=re.M)[1:]
    with_script = {block.split(":")[0] for block in blocks if "script:" in block}
    assert with_script == scripts
    for block in blocks:
        name = block.split(":")[0]
        if "script:" in block:
            assert f"../scripts/{name}.py" in block
            missing = {"log:", "benchmark:", "resources:", "conda:", "params:"} - set(block.split())
            assert not missing, f"{name} lacks {missing}"
