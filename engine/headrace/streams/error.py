"""What goes wrong with one stream: the line a user reads and the HTTP status that tells programs the kind."""

from http import HTTPStatus

from headrace.errors import HeadraceError

# The names vLLM's own endpoints give to the `type` of an error; others are derived from the status.
TYPES = {
    HTTPStatus.BAD_REQUEST: "BadRequestError",
    HTTPStatus.UNAUTHORIZED: "AuthenticationError",
    HTTPStatus.FORBIDDEN: "PermissionDeniedError",
    HTTPStatus.NOT_FOUND: "NotFoundError",
    HTTPStatus.CONFLICT: "ConflictError",
    HTTPStatus.REQUEST_TIMEOUT: "TimeoutError",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "RequestTooLargeError",
    HTTPStatus.TOO_MANY_REQUESTS: "RateLimitError",
    HTTPStatus.INTERNAL_SERVER_ERROR: "InternalServerError",
    HTTPStatus.SERVICE_UNAVAILABLE: "ServiceUnavailableError",
    HTTPStatus.GATEWAY_TIMEOUT: "TimeoutError",
}


LONGEST = 1000  # characters of a part of a line: a client's own input in it may be megabytes


class StreamError(HeadraceError):
    """A stream that was refused, failed or can't go on; other streams are not touched by it.

    `status` is an HTTP status: 400 bad input, 401 API key, 403 a page of another origin, 404 unknown, 408
    no message for too long, 409 closed or finished already, 413 too long, 429 too many streams, 500 and
    503 the server, 504 no answer in time.
    """

    def __init__(self, place: object, problem: str, remedy: str, status: int = HTTPStatus.BAD_REQUEST):
        super().__init__(_sendable(str(place)), _sendable(problem), _sendable(remedy))
        self.status = int(status)
        if not self.place:
            self.args = (" ".join(self.problem.split()),)

    def __reduce__(self):
        """Survives the way from one process to another."""
        return type(self), (self.place, self.problem, self.remedy, self.status)

    @classmethod
    def told(cls, message: str, status: int) -> "StreamError":
        """An error that someone else put into words: `message` stays as it is, on one line."""
        return cls("", message, "", status)

    @property
    def type(self) -> str:
        """The kind as a word, as in vLLM's answers: "BadRequestError", "NotFoundError", ..."""
        try:
            return TYPES[HTTPStatus(self.status)]
        except (ValueError, KeyError):
            return "InternalServerError" if self.status >= 500 else "BadRequestError"

    @property
    def close_code(self) -> int:
        """The code a WebSocket closes with: 4000 + HTTP status (free for applications from 4000 on)."""
        return 4000 + self.status

    def answer(self) -> dict:
        """The body of an answer, in OpenAI's form: {"error": {"message", "type", "param", "code"}}."""
        return {"error": {"message": str(self), "type": self.type, "param": None, "code": self.status}}


def _sendable(text: str) -> str:
    """`text` without lone surrogates, which no answer can carry, and of bounded length."""
    text = text.encode("utf-8", "backslashreplace").decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
