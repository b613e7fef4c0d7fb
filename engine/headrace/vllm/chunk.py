"""How a chunk of a streaming prompt travels to the scheduler: in the sampling parameters of a request."""

from dataclasses import dataclass

from headrace.errors import HeadraceError, nearest
from headrace.perf.records import at_least, read_record

KEY = "headrace"  # in SamplingParams.extra_args, and in what a request's last output brings back
MODES = ("append", "update")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk of a stream; its tokens are the prompt of the request that carries it.

    stream: an id that the client makes up, unique among live streams. index: 0 opens the stream, with a
    request that is answered like any other; later ones count on, and their requests are never answered.
    mode: the tokens are appended to the prompt, or are the whole new prompt. final: no chunk follows, and
    generation begins. empty: the tokens don't count (vLLM takes no request without one); only a final
    chunk may be empty.
    """

    stream: str
    index: int = at_least(0, default=0)
    mode: str = "append"
    final: bool = False
    empty: bool = False

    def extra_args(self) -> dict[str, dict[str, object]]:
        """What to put into SamplingParams.extra_args."""
        keys = {"stream": self.stream, "index": self.index, "mode": self.mode, "final": self.final}
        return {KEY: keys | {"empty": True} if self.empty else keys}


def read_chunk(extra_args: dict | None) -> Chunk | None:
    """The chunk in SamplingParams.extra_args; None for a plain request.

    Raises HeadraceError for keys, types or a mode that are none.
    """
    if not extra_args or KEY not in extra_args:
        return None
    place = f"extra_args: key {KEY}"
    chunk = read_record(Chunk, extra_args[KEY], place)
    if chunk.mode not in MODES:
        raise HeadraceError(f"{place}: mode", f"{chunk.mode!r} is no mode", nearest(chunk.mode, MODES))
    if not chunk.index and chunk.mode == "update":
        raise HeadraceError(
            f"{place}: mode", "there is nothing to update yet", "open the stream by appending"
        )
    if chunk.empty and (not chunk.final or not chunk.index):
        raise HeadraceError(f"{place}: empty", "only the last chunk may be empty", "send tokens")
    return chunk
