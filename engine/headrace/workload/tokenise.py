"""Tokenisers, by config."""

import os
from collections.abc import Callable
from dataclasses import dataclass

from headrace.errors import HeadraceError, nearest

TEKKEN_FILE = "tekken_240911.json"


@dataclass(frozen=True, slots=True)
class Tokeniser:
    """beginning: the tokens that a prompt begins with (BOS or nothing); encode: texts to token ids,
    without any such token, each text by itself; safe to call from several threads."""

    beginning: list[int]
    encode: Callable[[list[str]], list[list[int]]]


def load_tokeniser(config: dict) -> Tokeniser:
    """The tokeniser of {"kind": "transformers", "name": .., "revision": ..}, which is AutoTokenizer
    by the name of a model or a folder, or of {"kind": "tekken"}, the Tekken tokeniser that
    mistral-common carries (131,072 tokens, needs no download).

    Raises HeadraceError for a config that is neither, a package that is not installed, and a tokeniser
    that can't be had.
    """
    place = "tokeniser"
    kinds = {"transformers": ({"name"}, {"revision"}), "tekken": (set(), set())}
    kind = config.get("kind")
    if kind not in kinds:
        raise HeadraceError(place, f"unknown kind {kind!r}", nearest(str(kind), kinds))
    needed, optional = kinds[kind]
    given = {key for key, value in config.items() if value is not None} - {"kind"}
    for key in sorted(given - needed - optional):
        remedy = "set it to null or change the kind"
        raise HeadraceError(f"{place}.{key}", f"is no key of kind {kind}", remedy)
    for key in sorted(needed - given):
        raise HeadraceError(f"{place}.{key}", f"is missing for kind {kind}", "set it")
    try:
        if kind == "tekken":
            return _tekken()
        return _transformers(config["name"], config.get("revision"))
    except ImportError as error:
        raise HeadraceError(
            place, f"{error.name} is not installed", "pip install 'headrace[tokenise]'"
        ) from error


def _tekken() -> Tokeniser:
    from importlib.resources import files

    from mistral_common.tokens.tokenizers.tekken import Tekkenizer

    tekken = Tekkenizer.from_file(str(files("mistral_common") / "data" / TEKKEN_FILE))
    return Tokeniser(
        [tekken.bos_id], lambda texts: [tekken.encode(text, bos=False, eos=False) for text in texts]
    )


def _transformers(name: str, revision: str | None) -> Tokeniser:
    for library in ("TRANSFORMERS", "HF_HUB"):  # no PyTorch is needed; what fails is told below, once
        os.environ.setdefault(f"{library}_VERBOSITY", "error")
    from transformers import AutoTokenizer

    try:
        tokeniser = AutoTokenizer.from_pretrained(name, revision=revision)
    except Exception as error:  # The library raises its own, the hub's and bare ones.
        reason = str(error).strip().splitlines()[0]
        raise HeadraceError(
            "tokeniser.name",
            f"{name!r} can't be loaded ({reason})",
            "check the name, the network and access to it, or set kind: tekken (--tokeniser tekken)",
        ) from error
    backend = getattr(tokeniser, "backend_tokenizer", None)
    if backend is None:
        raise HeadraceError(
            "tokeniser.name", f"{name!r} has no fast tokeniser", "name one with tokenizer.json"
        )
    # A tokenizer.json may cut or pad every text.
    backend.no_truncation()
    backend.no_padding()
    beginning = [] if tokeniser.bos_token_id is None else [tokeniser.bos_token_id]
    return Tokeniser(
        beginning,
        lambda texts: [found.ids for found in backend.encode_batch(texts, add_special_tokens=False)],
    )
