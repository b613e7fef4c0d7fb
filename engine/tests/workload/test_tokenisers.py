import sys

import pytest

from headrace.workload.tokenise import load_tokeniser


def test_a_named_tokeniser_is_loaded_whole(word_tokeniser):
    """Its tokenizer.json asks to cut texts after 4 tokens; a prompt must not be cut."""
    tokeniser = load_tokeniser(word_tokeniser)
    assert tokeniser.beginning == [0]
    assert tokeniser.encode(["one two three four five six", "", "seven eight"]) == [
        [2, 3, 4, 5, 6, 7],
        [],
        [8, 1],
    ]


def test_tekken_comes_with_mistral_common():
    tokeniser = load_tokeniser({"kind": "tekken", "name": None})
    assert tokeniser.beginning == [1]
    whole, head, tail = tokeniser.encode(["The pond silts up.\n", "The pond silts", " up.\n"])
    assert whole == head + tail
    assert tokeniser.encode([""]) == [[]]
    assert all(0 <= token < 131_072 for token in whole)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"kind": "teken"}, ("unknown kind 'teken'", "did you mean 'tekken'?")),
        ({}, ("unknown kind None", "known: tekken, transformers")),
        ({"kind": "transformers"}, ("tokeniser.name", "is missing")),
        ({"kind": "tekken", "name": "x"}, ("tokeniser.name", "no key of kind tekken", "set it to null")),
    ],
)
def test_refuses_a_bad_config(refused, config, words):
    with refused(*words):
        load_tokeniser(config)


def test_a_tokeniser_that_cannot_be_had_is_one_line(refused, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with refused("tokeniser.name", "can't be loaded", "kind: tekken"):
        load_tokeniser({"kind": "transformers", "name": str(tmp_path)})
    (tmp_path / "tokenizer.json").write_text("{")
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    with refused("tokeniser.name", "can't be loaded"):
        load_tokeniser({"kind": "transformers", "name": str(tmp_path)})


@pytest.mark.parametrize(
    ("module", "config"),
    [("transformers", {"kind": "transformers", "name": "x"}), ("mistral_common", {"kind": "tekken"})],
)
def test_a_package_that_is_not_installed_is_named(refused, monkeypatch, module, config):
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    with refused("is not installed", "headrace[tokenise]"):
        load_tokeniser(config)
