"""The sampling parameters of a stream: those of OpenAI's completions and vLLM's own, by name and type."""

import math
from collections.abc import Callable
from typing import Any

from headrace.errors import nearest
from headrace.streams.error import StreamError


def _whole(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63  # what travels to the engine


def _number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))


def is_text(value: str) -> bool:
    """Whether it is whole characters: no lone surrogates, which JSON can name and no tokenizer takes."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _words(value: Any) -> bool:
    words = [value] if isinstance(value, str) else value
    return isinstance(words, list) and all(isinstance(word, str) and is_text(word) for word in words)


def _ids(value: Any) -> bool:
    return isinstance(value, list) and all(type(id) is int and id >= 0 for id in value)


def _biases(value: Any) -> bool:
    return isinstance(value, dict) and all(_number(bias) for bias in value.values())


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


WHOLE = (_whole, "a whole number of 64 bits")
NUMBER = (_number, "a number")
FLAG = (_flag, "true or false")

KNOWN: dict[str, tuple[Callable[[Any], bool], str]] = {
    "max_tokens": WHOLE,
    "min_tokens": WHOLE,
    "temperature": NUMBER,
    "top_p": NUMBER,
    "top_k": WHOLE,
    "min_p": NUMBER,
    "seed": WHOLE,
    "stop": (_words, "text or a list of texts"),
    "stop_token_ids": (_ids, "a list of token ids"),
    "include_stop_str_in_output": FLAG,
    "ignore_eos": FLAG,
    "frequency_penalty": NUMBER,
    "presence_penalty": NUMBER,
    "repetition_penalty": NUMBER,
    "logit_bias": (_biases, "an object of token id: number"),
    "skip_special_tokens": FLAG,
}

# What /v1/completions takes and a stream can't have: it has one answer and a prompt that changes.
NOT_SERVED = ("best_of", "echo", "logprobs", "n", "prompt_logprobs", "suffix", "use_beam_search")


def checked(parameters: dict[str, Any]) -> dict[str, Any]:
    """`parameters` without those that are null; StreamError for an unknown name or a value of another type.

    Ranges are vLLM's to check.
    """
    for name, value in parameters.items():
        check_served(name)
        if name not in KNOWN:
            raise StreamError(f"key {name}", "is unknown", nearest(name, KNOWN))
        fits, wanted = KNOWN[name]
        if value is not None and not fits(value):
            raise StreamError(f"key {name}", f"{shown(value)} does not fit", f"give {wanted}")
    return {name: value for name, value in parameters.items() if value is not None}


def check_served(name: str) -> None:
    """StreamError for a parameter of completions that streams do not have."""
    if name in NOT_SERVED:
        raise StreamError(f"key {name}", "is not served for streams", "leave it out")


def shown(value: Any) -> str:
    """A value in an error, shortened."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
