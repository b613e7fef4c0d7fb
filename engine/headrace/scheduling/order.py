"""A sorted list of requests that is changed one request at a time."""

from bisect import bisect_left
from collections.abc import Callable

from headrace.request import Request


class Order:
    """Requests with something to compute, best first.

    `key_of(request)` must be unique per request: `put` raises ValueError for a key that is taken. The
    key a request was filed under is kept on it (`request.key`), so it can be found again after what the
    key depends on has changed.
    """

    __slots__ = ("key_of", "keys", "requests")

    def __init__(self, key_of: Callable[[Request], tuple | int]):
        self.key_of = key_of
        self.keys = []
        self.requests = []

    def put(self, request: Request) -> None:
        """Insert the request, or move it to where its key now says."""
        key, keys = self.key_of(request), self.keys
        if request.key is not None:
            if request.key == key:
                return
            place = bisect_left(keys, request.key)
            last = len(keys) - 1
            if (place == 0 or keys[place - 1] < key) and (place == last or key < keys[place + 1]):
                keys[place] = request.key = key  # it overtakes nobody
                return
            del keys[place], self.requests[place]
        place = bisect_left(keys, key)
        if place < len(keys) and keys[place] == key:
            raise ValueError(f"two requests have the key {key}: end it in the id")
        keys.insert(place, key)
        self.requests.insert(place, request)
        request.key = key

    def remove(self, request: Request) -> None:
        """Take the request out; it must be in."""
        place = bisect_left(self.keys, request.key)
        del self.keys[place], self.requests[place]
        request.key = None

    def keep(self, request: Request) -> None:
        """File the request if it has something to compute, else make sure that it is out."""
        if request.computed < request.prompt:
            self.put(request)
        elif request.key is not None:
            self.remove(request)
