"""One message of a client to the server, read and checked: the same for WebSocket and plain HTTP."""

import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from headrace.errors import nearest
from headrace.streams import parameters
from headrace.streams.error import StreamError
from headrace.streams.stream import MODES, checked

OWN = ("type", "prompt", "final", "stream")  # keys of every message
FIRST = ("model", "user")  # with the sampling parameters: of the first message only
LONGEST_NAME = 60  # characters of a name that is looked at for the nearest right one

EXAMPLE = 'send {"type": "append", "prompt": "text", "final": true}'


@dataclass(frozen=True, slots=True)
class Message:
    """What a client asks: change the prompt, perhaps close it.

    `prompt` is text, token ids or None (only to close); `stream` asks for the answer token by token
    (plain HTTP; a WebSocket always gets it so). `model` and `sampling` are those of a first message.
    """

    mode: str
    prompt: str | list[int] | None
    final: bool = False
    stream: bool = False
    model: str | None = None
    sampling: dict[str, Any] = field(default_factory=dict)


def read(text: str | bytes, first: bool) -> Message:
    """The message in `text`, JSON: {"type": "append" | "update", "prompt": str | [ids], "final": bool, ...}.

    Raises StreamError that names the key: no JSON, a key twice, an unknown key (with the nearest right
    one), a value of another type, sampling parameters after the first message.
    """
    message = _json(text)
    if not isinstance(message, dict):
        raise StreamError("message", "is not an object", EXAMPLE)
    rest = {key: value for key, value in message.items() if key not in OWN}
    if first:
        model, user = (rest.pop(key, None) for key in FIRST)
        for key, value in zip(FIRST, (model, user), strict=True):
            if value is not None and not isinstance(value, str):
                raise StreamError(f"key {key}", f"is a {type(value).__name__}", "give text")
        _check_known(rest, (*OWN, *FIRST, *parameters.KNOWN))
        sampling = parameters.checked(rest)
    else:
        for key in rest:
            if key in FIRST or key in parameters.KNOWN:
                raise StreamError(f"key {key}", "comes after the first message", "give it in the first one")
        _check_known(rest, OWN)
        model, sampling = None, {}
    mode = message.get("type", "append")
    if mode not in MODES:
        remedy = nearest(mode[:LONGEST_NAME], MODES) if isinstance(mode, str) else "append or update"
        raise StreamError("key type", f"{parameters.shown(mode)} is unknown", remedy)
    final, stream = _flag(message, "final"), _flag(message, "stream")
    if stream and not final:
        raise StreamError("key stream", "is set but nothing is answered yet", "set it together with final")
    prompt = checked("key prompt", message.get("prompt"))
    if prompt is None and (first or not final):
        raise StreamError("key prompt", "is missing", "send text or token ids")
    return Message(mode, prompt, final, stream, model, sampling)


def _check_known(keys: dict, known: tuple[str, ...]) -> None:
    for key in keys:
        parameters.check_served(key)
        if key not in known:
            name = key[:LONGEST_NAME]
            raise StreamError(f"key {name}", "is unknown", nearest(name, known))


def _json(text: str | bytes) -> object:
    """What the text says, in UTF-8; stricter than Python, whose NaN, Infinity and keys given twice are no
    JSON that two readers would read alike.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        return json.loads(text, parse_constant=_no_constant, object_pairs_hook=_keys_once)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise StreamError("message", f"is not JSON: {error}", EXAMPLE) from None
    except ValueError:  # Python reads no whole numbers of more than 4,300 digits
        raise StreamError("message", "has a number of too many digits", EXAMPLE) from None


def _no_constant(word: str) -> None:
    raise StreamError("message", f"is not JSON: {word}", "give numbers")


def _keys_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise StreamError(f"key {twice[:LONGEST_NAME]}", "is there twice", "give it once")
    return keys


def _flag(message: dict, key: str) -> bool:
    value = message.get(key)
    if value is not None and not isinstance(value, bool):
        raise StreamError(f"key {key}", f"{parameters.shown(value)} does not fit", "give true or false")
    return bool(value)
