"""A tokenizer for the tiny model: token id n is the word "wn", a text begins with <s>."""

import json
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing

SPECIAL = ("<unk>", "<s>", "</s>")
BOS = 1


def write_tokenizer(folder: Path, vocabulary: int) -> Path:
    """tokenizer.json and its configuration in `folder`, which is returned."""
    words = [*SPECIAL, *(f"w{id}" for id in range(len(SPECIAL), vocabulary))]
    tokenizer = Tokenizer(WordLevel({word: id for id, word in enumerate(words)}, unk_token=SPECIAL[0]))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", BOS)])
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": SPECIAL[0],
        "bos_token": SPECIAL[1],
        "eos_token": SPECIAL[2],
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    return folder


def text(ids: list[int]) -> str:
    """The words of these ids."""
    return " ".join(SPECIAL[id] if id < len(SPECIAL) else f"w{id}" for id in ids)
