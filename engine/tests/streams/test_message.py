"""Messages of clients, as the server reads them."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.streams import StreamError, parameters
from headrace.streams.message import Message, read


def told(text, first=True):
    with pytest.raises(StreamError) as caught:
        read(text if isinstance(text, str | bytes) else json.dumps(text), first)
    assert caught.value.status == 400 and "\n" not in str(caught.value)
    return str(caught.value)


def test_a_first_message():
    message = {
        "type": "update",
        "prompt": "a",
        "model": "m",
        "user": "u",
        "max_tokens": 3,
        "stop": ["x"],
        "seed": None,
    }
    assert read(json.dumps(message), first=True) == Message(
        "update", "a", model="m", sampling={"max_tokens": 3, "stop": ["x"]}
    )
    assert read(b'{"prompt": [1, 2], "final": true, "stream": true}', first=True) == Message(
        "append", [1, 2], final=True, stream=True
    )


def test_a_later_message():
    assert read('{"prompt": "a"}', first=False) == Message("append", "a")
    assert read('{"final": true}', first=False) == Message("append", None, final=True)
    assert read('{"type": "update", "prompt": [1], "final": true}', False) == Message(
        "update", [1], final=True
    )


@pytest.mark.parametrize(
    ("message", "first", "wanted"),
    [
        ("{", True, 'is not JSON: '),
        (b"\xff\xfe\xfa", True, "is not JSON"),
        ("[" * 100_000, True, "is not JSON"),
        ([], True, "is not an object"),
        ('{"prompt": "a"}'.encode("utf-16"), True, "is not JSON"),
        ('{"prompt": [5], "temperature": NaN}', True, "is not JSON: NaN"),
        ('{"prompt": [5], "final": -Infinity}', False, "is not JSON: -Infinity"),
        ('{"prompt": [%s]}' % ("9" * 5000), True, "a number of too many digits"),
        ('{"prompt": "a", "final": true, "prompt": "b"}', False, "key prompt: is there twice"),
        ('{"prompt": "a", "logit_bias": {"5": 1, "5": 2}}', True, "key 5: is there twice"),
        ('{"prompt": "a", "temperature": 1e999}', True, "key temperature: inf does not fit"),
        ('{"prompt": "a", "logit_bias": {"5": 1e999}}', True, "an object of token id: number"),
        ({"prompt": "a", "max_tokens": 2**63}, True, "give a whole number of 64 bits"),
        ({"prompt": "a", "seed": -(2**63) - 1}, True, "give a whole number of 64 bits"),
        ({"prompt": "a\ud800"}, True, "half a character"),
        ({"prompt": "a", "stop": "\udfff"}, True, "text or a list of texts"),
        ({"prompt": "a", "stop": ["b", "\udfff"]}, True, "text or a list of texts"),
        ({"prompt": "a", "\ud800": 1}, True, "key \\ud800: is unknown"),
        ({"prompt": [1.0]}, True, "1.0 at position 0 is no token id"),
        ({}, True, "key prompt: is missing"),
        ({"final": True}, True, "key prompt: is missing"),
        ({}, False, "key prompt: is missing"),
        ({"prompt": "a", "type": "updat"}, True, "did you mean 'update'?"),
        ({"prompt": "a", "type": 3}, True, "append or update"),
        ({"prompt": "a", "type": ["append"]}, True, "append or update"),
        ({"prompt": "a", "final": "yes"}, True, "key final: 'yes' does not fit"),
        ({"prompt": "a", "final": 0}, True, "key final: 0 does not fit"),
        ({"prompt": "a", "stream": True}, False, "set it together with final"),
        ({"prompt": "a", "top-p": 0.5}, True, "did you mean 'top_p'?"),
        ({"prompt": "a", "promt": "b"}, False, "did you mean 'prompt'?"),
        ({"prompt": "a", "model": 3}, True, "key model: is a int; give text"),
        ({"prompt": "a", "model": "m"}, False, "comes after the first message"),
        ({"prompt": "a", "temperature": 0}, False, "comes after the first message"),
        ({"prompt": "a", "n": 1}, True, "key n: is not served for streams"),
        ({"prompt": "a", "echo": True}, False, "echo"),
        ({"prompt": "a", "max_tokens": 1.5}, True, "key max_tokens: 1.5 does not fit; give a whole number"),
        ({"prompt": "a", "max_tokens": True}, True, "key max_tokens: True does not fit"),
        ({"prompt": "a", "stop": [1]}, True, "text or a list of texts"),
        ({"prompt": "a", "stop_token_ids": [-1]}, True, "a list of token ids"),
        ({"prompt": "a", "logit_bias": {"5": "x"}}, True, "an object of token id: number"),
        ({"prompt": "a", "ignore_eos": 1}, True, "true or false"),
        ({"prompt": [[1]]}, True, "[1] at position 0 is no token id"),
        ({"prompt": [1, "x" * 100]}, True, "str at position 1 is no token id"),
        ({"prompt": {"a": 1}}, True, "neither text nor token ids"),
    ],
)  # fmt: skip
def test_bad_messages_are_told(message, first, wanted):
    assert wanted in told(message, first)


def test_every_parameter_takes_what_it_says_and_refuses_the_rest():
    fitting = {
        "a whole number of 64 bits": 3,
        "a number": 0.5,
        "true or false": True,
        "text or a list of texts": "x",
        "a list of token ids": [1],
        "an object of token id: number": {"5": -1.0},
    }
    for name, (_, wanted) in parameters.KNOWN.items():
        assert parameters.checked({name: fitting[wanted], "stop": None} | {name: fitting[wanted]}) == {
            name: fitting[wanted]
        }
        with pytest.raises(StreamError, match=f"key {name}"):
            parameters.checked({name: object()})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("key", ["type", "final", "long"])
def test_what_a_client_sent_does_not_come_back_by_the_megabyte(key):
    long = "x" * 2**20
    assert len(told({"prompt": "a"} | ({long: 1} if key == "long" else {key: long}))) < 1000


KEYS = st.sampled_from(["type", "prompt", "final", "stream", "model", "stop", "n", "seed", "logit_bias"])


@given(st.dictionaries(KEYS | st.text(max_size=4), JSON, max_size=4), st.booleans())
def test_whatever_comes_is_a_message_or_one_line(message, first):
    try:
        read(json.dumps(message), first)
    except StreamError as error:
        assert "\n" not in str(error) and error.status == 400
        json.dumps(error.answer(), ensure_ascii=False).encode()  # as both forms send it


@given(st.binary(max_size=40), st.booleans())
def test_whatever_bytes_come(data, first):
    try:
        read(data, first)
    except StreamError as error:
        assert "\n" not in str(error)


def test_errors_say_what_kind_they_are():
    error = StreamError("key x", "is wrong", "do better", 413)
    assert error.answer() == {
        "error": {
            "message": "key x: is wrong; do better",
            "type": "RequestTooLargeError",
            "param": None,
            "code": 413,
        }
    }
    assert error.close_code == 4413
    assert StreamError.told("a\nb", 429).answer()["error"]["message"] == "a b"
    assert [StreamError.told("", status).type for status in (418, 502, 700)] == [
        "BadRequestError",
        "InternalServerError",
        "InternalServerError",
    ]
    long = StreamError.told("\ud800" + "x" * 5000, 400)
    assert str(long).startswith("\\ud800xxx") and len(str(long)) == 1000
    for one in (error, long, StreamError.told("x", 408)):
        copy = pickle.loads(pickle.dumps(one))
        assert (str(copy), copy.status) == (str(one), one.status)
