"""Which web pages may use the endpoint: those that the server's --allowed-origins lets in."""

from collections.abc import Collection, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from headrace.streams.error import StreamError


class Origins:
    """Those of --allowed-origins ("*": all) and the server's own.

    A browser keeps the answers of plain HTTP from other pages, but sends simple requests all the same, and
    opens WebSockets for any page and lets it read them. On a server without API key, whoever browses next
    to it would lend it to every page.
    """

    def __init__(self, allowed: Collection[str]):
        self.allowed = frozenset(allowed)

    def check(self, headers: Mapping[str, str]) -> None:
        """StreamError 403 for a page of another origin. Clients other than browsers name none."""
        origin = headers.get("origin")
        if origin is None or "*" in self.allowed or origin in self.allowed:
            return
        try:
            own = bool(origin) and urlsplit(origin).netloc == headers.get("host")
        except ValueError:
            own = False
        if not own:
            raise StreamError(
                "origin", f"{origin!r} is not allowed", "add it to --allowed-origins", HTTPStatus.FORBIDDEN
            )
