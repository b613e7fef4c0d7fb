"""Limits of the endpoint, from the server's configuration."""

import pytest

from headrace.errors import HeadraceError
from headrace.streams.limits import EndpointLimits
from headrace.vllm.options import read_options


def test_defaults_and_given_ones():
    assert read_options({}).endpoint == EndpointLimits(4 * 2**20, None, 512, 60.0)
    given = {"max_message_bytes": 10, "max_message_tokens": 5, "max_sessions": 1, "idle_timeout_s": 0.5}
    assert read_options({"headrace": {"endpoint": given}}).endpoint == EndpointLimits(**given)


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"max_session": 3}, "did you mean 'max_sessions'"),
        ({"max_sessions": 0}, "1 or more is right"),
        ({"max_message_bytes": 0}, "1 or more is right"),
        ({"max_message_tokens": 0}, "1 or more is right"),
        ({"max_message_tokens": "many"}, "whole number"),
        ({"idle_timeout_s": 0}, "more than 0 is right"),
        ({"idle_timeout_s": None}, "no number"),
        ([], "a mapping of keys is needed"),
    ],
)
def test_limits_that_are_none(limits, told):
    with pytest.raises(HeadraceError, match=told):
        read_options({"headrace": {"endpoint": limits}})
