"""The server's API keys, checked for both forms of the endpoint."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from http import HTTPStatus

from headrace.streams.error import StreamError


class Keys:
    """Those of --api-key, or VLLM_API_KEY; none set: everybody is let in.

    vLLM's middleware has checked already where it is at work. This is the check of the routes themselves:
    it holds whatever is in front of them.
    """

    def __init__(self, keys: Iterable[str | None]):
        self._digests = [_digest(key) for key in keys if key]

    def check(self, headers: Mapping[str, str]) -> None:
        """StreamError 401 unless `headers` have "Authorization: Bearer KEY" with a right one."""
        if not self._digests:
            return
        scheme, _, key = headers.get("authorization", "").partition(" ")
        given, right = _digest(key.strip()), False
        for digest in self._digests:  # all of them, in constant time: how long it takes tells nothing
            right |= hmac.compare_digest(given, digest)
        if scheme.lower() != "bearer" or not right:
            raise StreamError(
                "API key", "is missing or wrong", "send Authorization: Bearer KEY", HTTPStatus.UNAUTHORIZED
            )


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()
